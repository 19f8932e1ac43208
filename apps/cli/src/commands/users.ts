import { join } from 'node:path';
import {
  changeUsers,
  type NewUser,
  ROLES,
  type Role,
  type UserSummary,
  usersOfFile,
} from '@careledger/gateway';
import { type Command, InvalidArgumentError } from 'commander';
import { homePaths } from '../consortium/member-config.ts';
import { readConsortiumFile } from '../consortium-file.ts';
import { readPassword } from '../read-password.ts';
import { DATA_FOLDER, memberOf } from './node-connection.ts';
import { type OutputOptions, printJson, printLine, runVerb } from './output.ts';

interface UsersOptions extends OutputOptions {
  readonly data: string;
  readonly organization: string;
}

interface AddOptions extends UsersOptions {
  readonly roles: readonly Role[];
  readonly patient?: string;
  readonly fhirUser?: string;
}

const PASSWORD_HELP = `
The password is asked for on the terminal, unseen, or read as the first line of standard input: an argument would stand in
the shell's history, and others could see it.`;

function rolesOf(text: string): readonly Role[] {
  return text.split(',').map((word) => {
    const role = ROLES.find((each) => each === word.trim());
    if (role === undefined) throw new InvalidArgumentError(`roles are ${ROLES.join(', ')}.`);
    return role;
  });
}

function usersFileOf(options: UsersOptions): string {
  const { home } = memberOf(readConsortiumFile(options.data), options.organization);
  return homePaths(join(options.data, home)).users;
}

function withOrganization(command: Command): Command {
  return command
    .requiredOption('--organization <name>', 'whose users')
    .option('--data <folder>', 'data folder of the local consortium', DATA_FOLDER)
    .option('--json', 'print one JSON object');
}

/** `careledger users list|add|set-password|remove --organization NAME`: who may sign in at a member's gateway. */
export function registerUsers(program: Command): void {
  const users = program
    .command('users')
    .description('who may sign in at a member: list, add, set-password, remove')
    .addHelpText(
      'after',
      `
Example:
  npx careledger users add m.okafor --roles provider --organization general-hospital

A gateway reads its users anew at every request: whoever is removed is out at once.`,
    );
  registerList(users);
  registerAdd(users);
  registerSetPassword(users);
  registerRemove(users);
}

function registerList(users: Command): void {
  withOrganization(users.command('list').description('everybody who may sign in, and with which roles'))
    .addHelpText('after', '\nExample:\n  npx careledger users list --organization general-hospital')
    .action((options: UsersOptions) =>
      runVerb(options, async () => {
        const found = await usersOfFile(usersFileOf(options));
        if (options.json === true) printJson({ organization: options.organization, users: found });
        else if (found.length === 0) printLine(`nobody signs in at ${options.organization}`);
        else for (const user of found) printLine(userLine(user));
      }),
    );
}

function userLine({ name, roles, disabled, patient, fhirUser }: UserSummary): string {
  const person = fhirUser ?? (patient === undefined ? undefined : `Patient/${patient}`);
  return [name, roles.join(', '), ...(person ? [person] : []), ...(disabled ? ['disabled'] : [])].join('  ');
}

function registerAdd(users: Command): void {
  withOrganization(
    users.command('add').description('let somebody sign in').argument('<name>', 'sign-in name'),
  )
    .requiredOption('--roles <roles>', `one or several of ${ROLES.join(', ')}`, rolesOf)
    .option('--patient <id>', 'with the role patient: the Patient resource whose records they are')
    .option('--fhir-user <reference>', "the user's own Practitioner or RelatedPerson, such as Practitioner/1")
    .addHelpText(
      'after',
      `${PASSWORD_HELP}

Examples:
  npx careledger users add m.okafor --roles provider --organization general-hospital
  npx careledger users add r.lee --roles payer,auditor --organization acme-health-plan < password-file`,
    )
    .action((name: string, options: AddOptions) =>
      runVerb(options, async () => {
        const file = usersFileOf(options);
        const { roles, patient, fhirUser } = options;
        const user: NewUser = {
          ...{ name, roles, password: await readPassword() },
          ...(patient === undefined ? {} : { patient }),
          ...(fhirUser === undefined ? {} : { fhirUser }),
        };
        await changeUsers(file).add(user);
        printDone(options, name, 'added');
      }),
    );
}

function registerSetPassword(users: Command): void {
  withOrganization(
    users
      .command('set-password')
      .description('give a user another password')
      .argument('<name>', 'sign-in name'),
  )
    .addHelpText(
      'after',
      `${PASSWORD_HELP}
Sessions and tokens of the user stay good until they end: remove the user and add them again to end these too.

Example:
  npx careledger users set-password m.okafor --organization general-hospital`,
    )
    .action((name: string, options: UsersOptions) =>
      runVerb(options, async () => {
        const file = usersFileOf(options);
        await changeUsers(file).setPassword(name, await readPassword());
        printDone(options, name, 'has another password');
      }),
    );
}

function registerRemove(users: Command): void {
  withOrganization(
    users
      .command('remove')
      .description('let somebody sign in no more; their tokens end at once')
      .argument('<name>', 'sign-in name'),
  )
    .addHelpText(
      'after',
      '\nExample:\n  npx careledger users remove m.okafor --organization general-hospital',
    )
    .action((name: string, options: UsersOptions) =>
      runVerb(options, async () => {
        await changeUsers(usersFileOf(options)).remove(name);
        printDone(options, name, 'removed');
      }),
    );
}

function printDone(options: UsersOptions, name: string, done: string): void {
  if (options.json === true) printJson({ organization: options.organization, name, done });
  else printLine(`${name}: ${done}`);
}
