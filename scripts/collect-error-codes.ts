import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { AREAS, NOT_AREAS } from '../apps/cli/src/explain/areas.ts';

/** What the sources say beside a code. Absent where they say nothing, or different things at different places. */
export interface Words {
  readonly message: string | undefined;
  readonly help: string | undefined;
}

const NO_WORDS: Words = { message: undefined, help: undefined };

const CODE = /^[a-z][a-z0-9-]*\/[a-z][a-z0-9-]*$/;
const SOURCES = ['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts'];
const NOT_SHIPPED =
  /\.test\.ts$|test-support|\/testing(\/|\.ts)|test-chain|fake-server|memory-target|\/explain\//;
/**
 * A capability of the catalog. It names messages, events, state and invariants in the form of a code too: its codes are those
 * of its refusals alone.
 */
export interface CapabilityCodes {
  readonly name: string;
  readonly rejections: Readonly<Record<string, number>>;
}

/** Literals in areas of errors that are none. */
const NOT_CODES: ReadonlySet<string> = new Set([
  'index/import-source',
  'index/search',
  'launch/encounter',
  'launch/patient',
]);

function textOf(node: ts.Node | undefined): string | undefined {
  if (!node) return undefined;
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return [node.head.text, ...node.templateSpans.map((span) => `…${span.literal.text}`)].join('');
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [textOf(node.left), textOf(node.right)];
    return left !== undefined && right !== undefined ? left + right : undefined;
  }
  return undefined;
}

function fieldOf(object: ts.Node, name: string): string | undefined {
  if (!ts.isObjectLiteralExpression(object)) return undefined;
  const field = object.properties.find((each) => each.name?.getText() === name);
  return field && ts.isPropertyAssignment(field) ? textOf(field.initializer) : undefined;
}

/** Is the table that this key stands in one of advice? */
function isHelpTable(node: ts.Node): boolean {
  let at: ts.Node | undefined = node;
  while (at && !ts.isVariableDeclaration(at)) at = at.parent;
  return at !== undefined && /help|advice/i.test(at.name.getText());
}

function wordsAt(literal: ts.StringLiteral): Words {
  const { parent } = literal;
  const isCall = ts.isNewExpression(parent) || ts.isCallExpression(parent);
  if (isCall && parent.arguments?.[0] === literal) {
    const [, message, help] = parent.arguments;
    return { message: textOf(message), help: textOf(help) };
  }
  if (!ts.isPropertyAssignment(parent)) return NO_WORDS;
  if (parent.name === literal) {
    const { initializer } = parent;
    const text = textOf(initializer);
    if (text !== undefined)
      return isHelpTable(parent) ? { ...NO_WORDS, help: text } : { ...NO_WORDS, message: text };
    return { message: fieldOf(initializer, 'message'), help: fieldOf(initializer, 'help') };
  }
  if (parent.name.getText() !== 'code') return NO_WORDS;
  return { message: fieldOf(parent.parent, 'message'), help: fieldOf(parent.parent, 'help') };
}

function isCode(text: string, file: string, capabilities: ReadonlySet<string>): boolean {
  const area = text.split('/')[0] ?? '';
  if (!CODE.test(text) || NOT_AREAS.has(area) || NOT_CODES.has(text) || capabilities.has(area)) return false;
  if (!Object.hasOwn(AREAS, area))
    throw new Error(`${file}: '${text}' belongs to no area of explain/areas.ts`);
  return true;
}

function isImport(literal: ts.StringLiteral): boolean {
  return ts.isImportDeclaration(literal.parent) || ts.isExportDeclaration(literal.parent);
}

/** Is this the `type` of a message, the name of an invariant, a figure? */
function isNameOfSomethingElse(literal: ts.StringLiteral): boolean {
  const { parent } = literal;
  if (ts.isPropertyAssignment(parent) && parent.initializer === literal) {
    return ['type', 'name', 'accept', "'content-type'"].includes(parent.name.getText());
  }
  return ts.isCallExpression(parent) && /\.(figure|type|includes)$/.test(parent.expression.getText());
}

/** What all places say that say anything, or `undefined` where they differ. */
function agreed(texts: readonly (string | undefined)[]): string | undefined {
  const said = new Set(texts.filter((text) => text !== undefined && /\p{L}{3}/u.test(text)));
  return said.size === 1 ? [...said][0] : undefined;
}

/** Every error code in the sources, with the words that stand beside it, in the order of the alphabet. */
export function collectCodes(
  root: string,
  capabilities: readonly CapabilityCodes[],
): ReadonlyMap<string, Words> {
  const names = new Set(capabilities.map(({ name }) => name));
  const found = new Map<string, Words[]>();
  for (const { rejections } of capabilities) {
    for (const code of Object.keys(rejections)) found.set(code, []);
  }
  for (const file of SOURCES.flatMap((pattern) => globSync(pattern, { cwd: root })).sort()) {
    if (NOT_SHIPPED.test(file)) continue;
    const text = readFileSync(join(root, file), 'utf8');
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2024, true);
    const visit = (node: ts.Node): void => {
      if (
        ts.isStringLiteral(node) &&
        !isImport(node) &&
        !isNameOfSomethingElse(node) &&
        isCode(node.text, file, names)
      ) {
        found.set(node.text, [...(found.get(node.text) ?? []), wordsAt(node)]);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  const sorted = [...found].sort(([left], [right]) => (left < right ? -1 : 1));
  return new Map(
    sorted.map(([code, each]) => [
      code,
      { message: agreed(each.map(({ message }) => message)), help: agreed(each.map(({ help }) => help)) },
    ]),
  );
}

/** The catalogue as it stands in `catalogue.json`. */
export function catalogueText(codes: ReadonlyMap<string, Words>): string {
  return `${JSON.stringify(Object.fromEntries(codes), null, 2)}\n`;
}
