import type {
  ElementDefinition,
  ElementDefinitionBinding,
  ElementDefinitionConstraint,
  ElementDefinitionSlicing,
  ElementDefinitionType,
  StructureDefinition,
} from '@medplum/fhirtypes';

/** A type that an element may have. */
export interface TypeRule {
  /** `Quantity`, `string`, `Reference`, ... */
  readonly code: string;
  /** What a Reference may point to: canonical URLs of StructureDefinitions. */
  readonly targets: readonly string[];
  /** Profiles on the type itself. */
  readonly profiles: readonly string[];
}

/** A JSON member: the element that it is, and which of its types it has. */
export interface Member {
  readonly rule: ElementRule;
  readonly type: TypeRule;
}

/** What a StructureDefinition says of one element, with its children. */
export interface ElementRule {
  /** `Observation.component.value[x]`. */
  readonly path: string;
  /** `value`: the FHIRPath name. */
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly isList: boolean;
  readonly isChoice: boolean;
  readonly types: readonly TypeRule[];
  /** The JSON members that this element can be, `valueQuantity` and the like. */
  readonly keys: readonly string[];
  /** Children by JSON member; empty where the StructureDefinition leaves them to the type. */
  readonly members: ReadonlyMap<string, Member>;
  readonly children: readonly ElementRule[];
  /** The element whose children these are (`contentReference`). */
  readonly content: ElementRule | undefined;
  readonly constraints: readonly ElementDefinitionConstraint[];
  readonly binding: ElementDefinitionBinding | undefined;
  readonly fixed: unknown;
  readonly pattern: unknown;
  readonly maxLength: number | undefined;
  readonly slicing: ElementDefinitionSlicing | undefined;
  readonly slices: readonly SliceRule[];
}

export interface SliceRule {
  readonly name: string;
  readonly rule: ElementRule;
}

type Draft<Rule> = { -readonly [Key in keyof Rule]: Rule[Key] };
interface ElementDraft extends Draft<ElementRule> {
  members: Map<string, Member>;
  children: ElementRule[];
  slices: SliceRule[];
}

const SYSTEM_TYPE = 'http://hl7.org/fhirpath/System.';
/** The id of a resource has a form of its own (FHIR R4, resource, section 2.26.3.3), which R4's type does not say. */
export const RESOURCE_ID_TYPE = 'resource-id';

function typeCode(element: ElementDefinition, type: ElementDefinitionType): string {
  const code = type.code ?? '';
  if (element.base?.path === 'Resource.id') return RESOURCE_ID_TYPE;
  if (!code.startsWith(SYSTEM_TYPE)) return code;
  return type.extension?.[0]?.valueUrl ?? code.slice(SYSTEM_TYPE.length).toLowerCase();
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function specified(element: ElementDefinition, prefix: 'fixed' | 'pattern'): unknown {
  const key = Object.keys(element).find(
    (name) => name.startsWith(prefix) && /[A-Z]/.test(name.charAt(prefix.length)),
  );
  return key === undefined ? undefined : (element as unknown as Readonly<Record<string, unknown>>)[key];
}

function draftOf(element: ElementDefinition): ElementDraft {
  const path = element.path ?? '';
  const last = path.slice(path.lastIndexOf('.') + 1);
  const isChoice = last.endsWith('[x]');
  const name = isChoice ? last.slice(0, -3) : last;
  const types = (element.type ?? []).map((type) => ({
    code: typeCode(element, type),
    targets: type.targetProfile ?? [],
    profiles: type.profile ?? [],
  }));
  const max = element.max === '*' ? Number.POSITIVE_INFINITY : Number(element.max ?? 1);
  return {
    path,
    name,
    min: element.min ?? 0,
    max,
    isList: (element.base?.max ?? element.max ?? '1') !== '1' && (element.base?.max ?? element.max) !== '0',
    isChoice,
    types,
    keys: isChoice ? types.map(({ code }) => name + capitalized(code)) : [name],
    members: new Map(),
    children: [],
    content: undefined,
    constraints: element.constraint ?? [],
    binding: element.binding,
    fixed: specified(element, 'fixed'),
    pattern: specified(element, 'pattern'),
    maxLength: element.maxLength,
    slicing: element.slicing,
    slices: [],
  };
}

const NO_TYPE: TypeRule = { code: '', targets: [], profiles: [] };

function addChild(parent: ElementDraft, rule: ElementRule): void {
  parent.children.push(rule);
  for (const [index, key] of rule.keys.entries()) {
    parent.members.set(key, { rule, type: rule.types[rule.isChoice ? index : 0] ?? NO_TYPE });
  }
}

/**
 * The elements of a StructureDefinition's snapshot as a tree.
 * @throws TypeError for a snapshot whose ids do not form a tree.
 */
export function elementRules(definition: StructureDefinition): ElementRule {
  const [first, ...rest] = definition.snapshot?.element ?? [];
  if (!first?.id) throw new TypeError(`No snapshot with ids in ${definition.url}`);
  const root = draftOf(first);
  const byId = new Map<string, ElementDraft>([[first.id, root]]);
  for (const element of rest) {
    const id = element.id ?? '';
    const dot = id.lastIndexOf('.');
    const parent = byId.get(id.slice(0, dot));
    if (!parent) throw new TypeError(`An element without a parent in ${definition.url}`);
    const draft = draftOf(element);
    byId.set(id, draft);
    if (element.contentReference) {
      draft.content = byId.get(element.contentReference.slice(element.contentReference.indexOf('#') + 1));
    }
    const colon = id.indexOf(':', dot);
    const sliced = colon === -1 ? undefined : byId.get(id.slice(0, colon));
    if (sliced) sliced.slices.push({ name: id.slice(colon + 1), rule: draft });
    else addChild(parent, draft);
  }
  return root;
}

/** The rule whose children an element has. */
export function contentOf(rule: ElementRule): ElementRule {
  return rule.content ?? rule;
}
