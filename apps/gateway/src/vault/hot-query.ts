import type { Compilable, CompiledQuery, Kysely } from 'kysely';

/** Stands in a composed query for a value that comes with each run. */
class Slot {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

type Values = Readonly<Record<string, unknown>>;

/**
 * A query that every request runs. Composing one costs several times what running it does, so it is composed once for a
 * database and then run with other values.
 *
 * @example
 * const byId = new HotQuery<Tables, { id: string }, Row>(['id'], (db, { id }) =>
 *   db.selectFrom('version').selectAll().where('id', '=', id));
 * const rows = await byId.run(tx, { id });
 */
export class HotQuery<Tables, Given extends Values, Row = unknown> {
  readonly #slots: Given;
  readonly #compose: (db: Kysely<Tables>, given: Given) => Compilable<Row>;
  /** By dialect adapter: a database and its transactions share one. */
  readonly #composed = new WeakMap<object, CompiledQuery<Row>>();

  /** @param compose Puts each value in as it is: it must not look at one. */
  constructor(
    names: readonly (keyof Given & string)[],
    compose: (db: Kysely<Tables>, given: Given) => Compilable<Row>,
  ) {
    this.#slots = Object.fromEntries(names.map((name) => [name, new Slot(name)])) as Values as Given;
    this.#compose = compose;
  }

  async run(db: Kysely<Tables>, given: Given): Promise<readonly Row[]> {
    const { adapter } = db.getExecutor();
    let composed = this.#composed.get(adapter);
    if (!composed) {
      composed = this.#compose(db, this.#slots).compile();
      this.#composed.set(adapter, composed);
    }
    const parameters = composed.parameters.map((value) =>
      value instanceof Slot ? given[value.name] : value,
    );
    const { rows } = await db.executeQuery<Row>({ ...composed, parameters });
    return rows;
  }
}
