import { isLosslessArray, isLosslessObject, type LosslessResource, parseReference } from '@careledger/fhir';
import type { ImportTarget } from './import-target.ts';
import { stableId } from './stable-id.ts';

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

/** All records of one import by fullUrl and by business identifier: types only, the contents stay in the files. */
export class ReferenceIndex {
  readonly #source: string;
  readonly #target: ImportTarget;
  readonly #types = new Map<string, string>();
  readonly #identifiers = new Map<string, Set<string>>();

  constructor(source: string, target: ImportTarget) {
    this.#source = source;
    this.#target = target;
  }

  get size(): number {
    return this.#types.size;
  }

  /** Notes a record; true the first time. */
  add(fullUrl: string, resource: LosslessResource): boolean {
    if (this.#types.has(fullUrl)) return false;
    this.#types.set(fullUrl, resource.resourceType);
    const identifiers = isLosslessArray(resource.identifier) ? resource.identifier : [resource.identifier];
    for (const identifier of identifiers) {
      if (!isLosslessObject(identifier) || typeof identifier.value !== 'string') continue;
      const system = typeof identifier.system === 'string' ? identifier.system : '';
      const key = identifierKey(resource.resourceType, `${system}|${identifier.value}`);
      const holders = this.#identifiers.get(key) ?? new Set();
      this.#identifiers.set(key, holders.add(fullUrl));
    }
    return true;
  }

  /** Takes a refused record out, so that nothing is stored that leads to it unnoticed. */
  remove(fullUrl: string): void {
    this.#types.delete(fullUrl);
  }

  #own(fullUrl: string): Resolution | undefined {
    const type = this.#types.get(fullUrl);
    return type === undefined ? undefined : this.#found(type, stableId(this.#source, fullUrl));
  }

  #found(resourceType: string, id: string): Resolution {
    return { kind: 'found', reference: `${resourceType}/${id}` };
  }

  async #byFullUrl(fullUrl: string): Promise<Resolution | undefined> {
    const own = this.#own(fullUrl);
    if (own) return own;
    const earlier = await this.#target.findBySource({ source: this.#source, fullUrl });
    return earlier && this.#found(earlier.resourceType, earlier.id);
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
    const key = identifierKey(match[1] ?? '', token.includes('|') ? token : `|${token}`);
    const holders = [...(this.#identifiers.get(key) ?? [])].filter((fullUrl) => this.#types.has(fullUrl));
    const [holder, ...others] = holders;
    if (holder === undefined) return MISSING;
    return others.length > 0 ? { kind: 'ambiguous' } : (this.#own(holder) ?? MISSING);
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
    return (await this.#target.exists(resourceType, id)) ? this.#found(resourceType, id) : MISSING;
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
