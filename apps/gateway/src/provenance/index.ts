export { provenanceOf, RECEIPT_FORMAT, SALT_EXTENSION } from './provenance-of.ts';
export { provenanceRoutes } from './provenance-routes.ts';
