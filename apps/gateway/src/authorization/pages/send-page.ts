import type { ServerResponse } from 'node:http';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Html } from './html.ts';

/**
 * What a browser is told about every page: no script, no frame, nothing from elsewhere, nothing kept. Forms go to this
 * server, and from there back to the app that asked: browsers apply `form-action` to that redirect too.
 */
export function pageHeaders(formOrigin?: string): Readonly<Record<string, string>> {
  const formAction = formOrigin === undefined ? "'self'" : `'self' ${formOrigin}`;
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src 'self'; form-action ${formAction}; frame-ancestors 'none'; base-uri 'none'`,
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-store',
  };
}

/** Answers with a page. */
export function sendPage(
  response: ServerResponse,
  page: { readonly status: number; readonly html: Html; readonly formOrigin?: string },
): void {
  response.writeHead(page.status, pageHeaders(page.formOrigin));
  response.end(page.html.text);
}

/** Answers with a page where the library has called for one. */
export function showPage(ctx: KoaContextWithOIDC, status: number, page: Html): void {
  ctx.status = status;
  ctx.set({ ...pageHeaders() });
  ctx.body = page.text;
}
