import { isLosslessArray, isLosslessObject, type LosslessObject } from '@careledger/fhir';
import { fromHex } from '@careledger/primitives';
import { ExchangeError } from './errors.ts';
import { parseObject } from './vault-records.ts';

/** The parameters of an operation, by name. FHIR's Parameters resource, read strictly enough. */
export class OperationParameters {
  readonly #parameters: readonly LosslessObject[];

  private constructor(parameters: readonly LosslessObject[]) {
    this.#parameters = parameters;
  }

  /** @throws {@link ExchangeError} `exchange/invalid` for a body that is no Parameters resource. */
  static read(body: unknown): OperationParameters {
    const resource = parseObject(body);
    const listed = resource.parameter ?? [];
    if (resource.resourceType !== 'Parameters' || !isLosslessArray(listed)) {
      throw new ExchangeError('exchange/invalid', 'The body is not a Parameters resource.');
    }
    return new OperationParameters(listed.filter(isLosslessObject));
  }

  /** Every text of this name, whatever FHIR type it has. */
  texts(name: string): readonly string[] {
    return this.#parameters
      .filter((parameter) => parameter.name === name)
      .flatMap((parameter) => Object.entries(parameter))
      .flatMap(([key, value]) => (key.startsWith('value') && typeof value === 'string' ? [value] : []));
  }

  text(name: string): string | undefined {
    return this.texts(name)[0];
  }

  /** @throws {@link ExchangeError} `exchange/invalid` when it is missing. */
  required(name: string): string {
    return this.text(name) ?? missing(name);
  }

  /** The text of a Reference, or a plain one. */
  reference(name: string): string | undefined {
    const found = this.#parameters.find((parameter) => parameter.name === name)?.valueReference;
    const reference = isLosslessObject(found) ? found.reference : undefined;
    return typeof reference === 'string' ? reference : this.text(name);
  }

  /** Bytes of a base64Binary. @throws {@link ExchangeError} `exchange/invalid`. */
  binary(name: string): Uint8Array {
    return new Uint8Array(Buffer.from(this.required(name), 'base64'));
  }

  /** Bytes of a text in hexadecimal, of this length. @throws {@link ExchangeError} `exchange/invalid`. */
  hex(name: string, length: number): Uint8Array {
    const bytes = fromHex(this.required(name));
    return bytes?.length === length ? bytes : missing(name);
  }

  /** A parameter that is a resource. @throws {@link ExchangeError} `exchange/invalid`. */
  resource(name: string): LosslessObject {
    const found = this.#parameters.find((parameter) => parameter.name === name)?.resource;
    return isLosslessObject(found) ? found : missing(name);
  }
}

function missing(name: string): never {
  throw new ExchangeError('exchange/invalid', `The parameter ${name} is missing or not of the agreed form.`);
}
