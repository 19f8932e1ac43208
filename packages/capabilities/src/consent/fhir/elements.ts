import { isObject, type JsonObject, listAt, strangerIn } from './json.ts';

/** What is wrong with a Consent, in the words of an OperationOutcome. Holds no value of the resource. */
export interface ConsentIssue {
  readonly code: 'required' | 'value' | 'not-supported';
  readonly expression: string;
  readonly text: string;
}

/** Stops the reading of one Consent; never leaves this folder. */
export class Refusal extends Error {
  readonly issue: ConsentIssue;
  constructor(code: ConsentIssue['code'], expression: string, text: string) {
    super(text);
    this.issue = { code, expression, text };
  }
}

export function required(expression: string, text: string): never {
  throw new Refusal('required', expression, text);
}

export function unsupported(expression: string, text: string): never {
  throw new Refusal('not-supported', expression, text);
}

export function objectAt(object: JsonObject, name: string, expression: string): JsonObject {
  const value = object[name];
  return isObject(value) ? value : required(expression, 'This element is needed.');
}

export function itemsAt(object: JsonObject, name: string, expression: string): readonly JsonObject[] {
  const items = listAt(object, name);
  if (!items?.every(isObject)) throw new Refusal('value', expression, 'This must be a list of elements.');
  return items;
}

export function onlyKeys(object: JsonObject, allowed: readonly string[], expression: string): void {
  const stranger = strangerIn(object, allowed);
  if (stranger !== undefined) {
    unsupported(`${expression}.${stranger}`, 'This element cannot be evaluated, so the consent is refused.');
  }
}

/** The code of one coding of this system; a second coding could say something else and is refused. */
export function codeIn(coding: unknown, system: string, expression: string): string {
  if (!isObject(coding)) return required(expression, 'A coding is needed.');
  onlyKeys(coding, ['id', 'system', 'version', 'code', 'display', 'userSelected'], expression);
  if (coding.system !== system || typeof coding.code !== 'string') {
    return unsupported(expression, `Only codes of ${system} can be evaluated.`);
  }
  return coding.code;
}

export function conceptCode(concept: JsonObject, system: string, expression: string): string {
  onlyKeys(concept, ['id', 'coding', 'text'], expression);
  const codings = itemsAt(concept, 'coding', `${expression}.coding`);
  if (codings.length !== 1) unsupported(`${expression}.coding`, 'Exactly one coding can be evaluated.');
  return codeIn(codings[0], system, `${expression}.coding[0]`);
}
