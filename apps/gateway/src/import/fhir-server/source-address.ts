import { ImportError } from '../import-error.ts';

/**
 * The base of a FHIR server as the operator names it, with a last slash. Private addresses are allowed: the operator, not a
 * stranger, says where to read. What an answer says is another matter, see {@link sameServer}.
 *
 * @throws {@link ImportError} `import/source-address`.
 */
export function sourceAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!url || !isPlain || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new ImportError(
      'import/source-address',
      'This is not the address of a FHIR server.',
      'Give its base URL, such as https://ehr.example.org/fhir, without a password, a query or a fragment. A token comes from a file or the environment.',
    );
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** Does text name a server rather than a file? */
export function isSourceAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/**
 * Where a next link leads. Only to the server that the operator named: a token goes along, and a link elsewhere would carry
 * it to a stranger, or make this machine ask what only this machine can reach.
 *
 * @throws {@link ImportError} `import/source-link`.
 */
export function sameServer(base: URL, link: unknown): URL {
  const url = typeof link === 'string' && URL.canParse(link, base.href) ? new URL(link, base) : undefined;
  if (url && url.origin === base.origin && url.username === '' && url.password === '') return url;
  throw new ImportError(
    'import/source-link',
    'A next link of the server leads to another origin. It was not followed.',
    'The server must name itself by the address that it is read at: check its base URL setting.',
  );
}
