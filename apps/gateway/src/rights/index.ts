export { rightsPart } from './rights-part.ts';
