import { setTimeout as wait } from 'node:timers/promises';
import { createConsortium, type LocalConsortium } from '../../apps/cli/src/consortium/local-consortium.ts';
import { HOSPITAL, LOCAL_MEMBERS } from '../../apps/cli/src/consortium/members.ts';
import { type GatewaySession, openSession } from '../../apps/cli/src/scenario/gateway-session.ts';
import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { CONCURRENCY, type LoadResult, sendAll } from '../fhir/load.ts';
import { codeOf, observation, patient, transactionBundle } from '../fhir/resources.ts';
import { at, forEachSize } from '../network/network.ts';

const BASE_PORT = 19_000;
const BUNDLE_ENTRIES = 20;
const SEARCH_COUNT = 20;
/** How long the last record of a load may take until it is anchored. */
const ANCHOR_MS_MAX = 120_000;

interface Sizes {
  readonly patients: number;
  readonly creates: number;
  readonly reads: number;
  readonly updates: number;
  readonly searches: number;
  readonly transactions: number;
}

const SIZES = {
  full: { patients: 64, creates: 3_000, reads: 6_000, updates: 1_500, searches: 2_000, transactions: 100 },
  quick: { patients: 16, creates: 300, reads: 600, updates: 150, searches: 200, transactions: 10 },
  smoke: { patients: 2, creates: 4, reads: 4, updates: 2, searches: 2, transactions: 1 },
} as const satisfies Record<string, Sizes>;

class FhirLoad {
  readonly #session: GatewaySession;
  readonly #sizes: Sizes;
  readonly #validators: number;
  readonly rows: Row[] = [];

  constructor(session: GatewaySession, sizes: Sizes, validators: number) {
    this.#session = session;
    this.#sizes = sizes;
    this.#validators = validators;
  }

  async run(): Promise<void> {
    const sizes = this.#sizes;
    const patients = await this.#patients();
    // The first requests pay for the compiler.
    await this.#create(patients, Math.ceil(sizes.creates / 8));
    const began = performance.now();
    const created = await this.#create(patients, sizes.creates);
    this.#row('create', 'create', created, {}, 'validation, sealing and signing on the gateway’s one thread');
    await this.#untilAnchored(created, began);
    const places = created.answers.map(({ headers }) => locationOf(headers));
    await this.#read(places);
    await this.#update(places, patients);
    await this.#search(patients);
    await this.#transactions(patients);
  }

  async #patients(): Promise<readonly string[]> {
    const requests = Array.from({ length: this.#sizes.patients }, (_, number) => ({
      path: 'Patient',
      method: 'POST' as const,
      body: patient(number),
      expect: 201,
    }));
    const { answers } = await sendAll(this.#session, requests);
    return answers.map(({ json }) => `Patient/${json.id}`);
  }

  #create(patients: readonly string[], count: number): Promise<LoadResult> {
    const requests = Array.from({ length: count }, (_, number) => ({
      path: 'Observation',
      method: 'POST' as const,
      body: JSON.stringify(observation({ subject: at(patients, number % patients.length), number })),
      expect: 201,
    }));
    return sendAll(this.#session, requests);
  }

  /** From the first request until the last record has a receipt: what the whole pipeline carries. */
  async #untilAnchored({ answers, perSecond }: LoadResult, began: number): Promise<void> {
    for (const { headers } of answers.slice(-CONCURRENCY)) {
      const { id, version } = locationOf(headers);
      const path = `/v1/records/Observation/${id}/versions/${version}/receipt`;
      const deadline = performance.now() + ANCHOR_MS_MAX;
      for (let status = 0; status !== 200; ) {
        ({ status } = await this.#session.send(path, { accept: '*/*' }));
        if (performance.now() > deadline) throw new Error(`no receipt yet: ${status}`);
        if (status !== 200) await wait(10);
      }
    }
    const seconds = (performance.now() - began) / 1000;
    this.rows.push({
      id: `fhir/${this.#validators}/pipeline`,
      what: `from resource to receipt, ${this.#name}`,
      value: answers.length / seconds,
      unit: 'records/s',
      better: 'more',
      counts: 'POST of the first until the receipt of the last: sealed, committed to, anchored, certified',
      bottleneck: 'the FHIR creates before it',
      details: { 'ms after the last answer': (seconds - answers.length / perSecond) * 1000 },
    });
  }

  async #read(places: readonly Place[]): Promise<void> {
    const requests = Array.from({ length: this.#sizes.reads }, (_, number) => ({
      path: `Observation/${at(places, number % places.length).id}`,
      expect: 200,
    }));
    this.#row('read', 'read', await sendAll(this.#session, requests), {}, 'TLS, authorization and unsealing');
  }

  async #update(places: readonly Place[], patients: readonly string[]): Promise<void> {
    const requests = places.slice(0, this.#sizes.updates).map(({ id }, index) => ({
      path: `Observation/${id}`,
      method: 'PUT' as const,
      body: JSON.stringify(
        observation({ id, subject: at(patients, index % patients.length), number: index + 1 }),
      ),
      expect: 200,
    }));
    this.#row('update', 'update', await sendAll(this.#session, requests), {}, 'as for a create');
  }

  async #search(patients: readonly string[]): Promise<void> {
    const requests = Array.from({ length: this.#sizes.searches }, (_, number) => ({
      path: 'Observation/_search',
      method: 'POST' as const,
      contentType: 'application/x-www-form-urlencoded',
      body: new URLSearchParams({
        patient: at(patients, number % patients.length),
        code: `http://loinc.org|${codeOf(number)}`,
        _count: String(SEARCH_COUNT),
      }).toString(),
      expect: 200,
    }));
    const result = await sendAll(this.#session, requests);
    const found = result.answers.reduce((sum, { json }) => sum + ((json.entry as unknown[]) ?? []).length, 0);
    const details = { 'resources each': found / requests.length };
    this.#row('search', 'search by patient and code', result, details, 'unsealing and writing what is found');
  }

  async #transactions(patients: readonly string[]): Promise<void> {
    const requests = Array.from({ length: this.#sizes.transactions }, (_, number) => ({
      path: '',
      method: 'POST' as const,
      body: transactionBundle(at(patients, number % patients.length), BUNDLE_ENTRIES),
      expect: 200,
    }));
    const result = await sendAll(this.#session, requests);
    this.#row(
      'transaction',
      `transactions of ${BUNDLE_ENTRIES} resources`,
      { ...result, perSecond: result.perSecond * BUNDLE_ENTRIES },
      {},
      'validation and sealing of each resource',
      'resources/s',
    );
  }

  get #name(): string {
    return `${this.#validators} validator${this.#validators > 1 ? 's' : ''}`;
  }

  #row(
    id: string,
    what: string,
    { perSecond, p50, p99 }: Pick<LoadResult, 'perSecond' | 'p50' | 'p99'>,
    details: Readonly<Record<string, number>>,
    bottleneck: string,
    unit = '/s',
  ): void {
    this.rows.push({
      id: `fhir/${this.#validators}/${id}`,
      what: `${what}, ${this.#name}`,
      value: perSecond,
      unit,
      better: 'more',
      counts: `answered over HTTPS, ${CONCURRENCY} at a time; what is written is durable in the vault, anchoring follows`,
      bottleneck,
      details: { 'p50 ms': p50, 'p99 ms': p99, ...details },
    });
  }
}

interface Place {
  readonly id: string;
  readonly version: string;
}

/** `[base]/Observation/<id>/_history/<version>`. */
function locationOf(headers: Readonly<Record<string, unknown>>): Place {
  const [id = '', , version = ''] = String(headers.location).split('/').slice(-3);
  return { id, version };
}

async function measure(context: BenchmarkContext, validators: number): Promise<readonly Row[]> {
  const folder = context.folder('members');
  const consortium: LocalConsortium = await createConsortium({
    folder,
    basePort: BASE_PORT,
    members: LOCAL_MEMBERS.slice(0, validators),
    say: context.say,
  });
  try {
    const options = { folder, consortium: consortium.file, organization: HOSPITAL, scope: 'system/*.cruds' };
    const load = new FhirLoad(openSession(options), sized<Sizes>(context.scale, SIZES), validators);
    await load.run();
    return load.rows;
  } finally {
    await consortium.stop();
  }
}

export const fhir: Benchmark = {
  name: 'fhir',
  title: 'FHIR over HTTPS: gateway, node and load generator on the same cores',
  ids: ['PERF-10'],
  run: async (context) => (await forEachSize(context, (validators) => measure(context, validators))).flat(),
};
