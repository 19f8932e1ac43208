export { longitudinalRoutes } from './longitudinal-routes.ts';
