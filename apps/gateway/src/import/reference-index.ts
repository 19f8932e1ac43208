import { isLosslessArray, isLosslessObject, type LosslessResource, parseReference } from '@careledger/fhir';
import { equalBytes, toHex } from '@careledger/primitives';
import type { ImportTarget } from './import-target.ts';
import { RunIndex } from './run-index.ts';

/** What a reference in an import leads to. */
export type Resolution =
  | { readonly kind: 'found'; readonly reference: string }
  /** Not ours to rewrite: contained, or at another server. */
  | { readonly kind: 'left' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'ambiguous' };

const LEFT: Resolution = { kind: 'left' };
const MISSING: Resolution = { kind: 'missing' };
const HISTORY = /\/_history\/[^/]+$/;
const IDENTIFIER_QUERY = /^([A-Z][A-Za-z]+)\?identifier=([^&]+)$/;

function identifierKey(resourceType: string, token: string): string {
  return `${resourceType}?identifier=${token}`;
}

function identifiersOf(resource: LosslessResource): readonly string[] {
  const identifiers = isLosslessArray(resource.identifier) ? resource.identifier : [resource.identifier];
  return identifiers.flatMap((identifier) => {
    if (!isLosslessObject(identifier) || typeof identifier.value !== 'string') return [];
    const system = typeof identifier.system === 'string' ? identifier.system : '';
    return [identifierKey(resource.resourceType, `${system}|${identifier.value}`)];
  });
}

/** All records of one import by fullUrl and by business identifier: the contents stay where they are. */
export class ReferenceIndex {
  readonly #source: string;
  readonly #target: ImportTarget;
  readonly #run = new RunIndex();
  #size = 0;

  constructor(source: string, target: ImportTarget) {
    this.#source = source;
    this.#target = target;
  }

  get size(): number {
    return this.#size;
  }

  /** The id here of a record: the one it has, or the one it will get. */
  async idOf(fullUrl: string): Promise<string> {
    const known = this.#run.find(fullUrl)?.reference.split('/')[1];
    if (known !== undefined) return known;
    const key = { source: this.#source, fullUrl };
    // A vault keeps the id that a record was first given, whatever the rule was then.
    return (await this.#target.findBySource(key))?.id ?? this.#target.idFor(key);
  }

  /** Notes a record; true the first time. */
  async add(fullUrl: string, resource: LosslessResource): Promise<boolean> {
    const reference = `${resource.resourceType}/${await this.idOf(fullUrl)}`;
    const isNew = this.#run.add(fullUrl, reference, identifiersOf(resource));
    if (isNew) this.#size += 1;
    return isNew;
  }

  /** Takes a refused record out, unless it stands already: nothing is stored that leads to it unnoticed. */
  removeUnsettled(fullUrl: string): void {
    if (!this.#run.find(fullUrl)?.content) this.#run.remove(fullUrl);
  }

  /** What this run has settled under a fullUrl: nothing yet, the same content, or another. */
  settled(fullUrl: string, contentHash: Uint8Array): 'nothing' | 'same' | 'other' {
    const content = this.#run.find(fullUrl)?.content;
    if (!content) return 'nothing';
    return equalBytes(content, this.#run.token(toHex(contentHash))) ? 'same' : 'other';
  }

  settle(fullUrl: string, contentHash: Uint8Array): void {
    this.#run.settle(fullUrl, this.#run.token(toHex(contentHash)));
  }

  /** Did the source show the record that is known here by this reference? */
  hasSeen(reference: string): boolean {
    return this.#run.hasReference(reference);
  }

  close(): void {
    this.#run.close();
  }

  async #byFullUrl(fullUrl: string): Promise<Resolution | undefined> {
    const own = this.#run.find(fullUrl);
    if (own) return { kind: 'found', reference: own.reference };
    const earlier = await this.#target.findBySource({ source: this.#source, fullUrl });
    return earlier && { kind: 'found', reference: `${earlier.resourceType}/${earlier.id}` };
  }

  #conditional(reference: string): Resolution {
    const match = IDENTIFIER_QUERY.exec(reference);
    if (!match) return MISSING;
    let token: string;
    try {
      token = decodeURIComponent(match[2] ?? '');
    } catch {
      return MISSING;
    }
    const [holder, ...others] = this.#run.holders(
      identifierKey(match[1] ?? '', token.includes('|') ? token : `|${token}`),
    );
    if (holder === undefined) return MISSING;
    return others.length > 0 ? { kind: 'ambiguous' } : { kind: 'found', reference: holder };
  }

  async #relative(reference: string, referrer: string): Promise<Resolution> {
    // A relative reference is relative to the server that the entry's own URL names (R4, bundle, section 2.36.4.1).
    const { base } = parseReference(referrer);
    const bare = reference.replace(HISTORY, '');
    const candidates = base === undefined ? [bare] : [`${base}${bare}`, bare];
    for (const candidate of candidates) {
      const resolution = await this.#byFullUrl(candidate);
      if (resolution) return resolution;
    }
    const [resourceType = '', id = ''] = bare.split('/');
    const exists = await this.#target.exists(resourceType, id);
    return exists ? { kind: 'found', reference: `${resourceType}/${id}` } : MISSING;
  }

  /** What a reference leads to that stands in the entry with the fullUrl `referrer`. */
  async resolve(reference: string, referrer: string): Promise<Resolution> {
    switch (parseReference(reference).kind) {
      case 'contained':
        return LEFT;
      case 'relative':
        return this.#relative(reference, referrer);
      case 'absolute':
        return (await this.#byFullUrl(reference.replace(HISTORY, ''))) ?? LEFT;
      case 'conditional':
        return this.#conditional(reference);
      default:
        return (await this.#byFullUrl(reference)) ?? MISSING;
    }
  }
}
