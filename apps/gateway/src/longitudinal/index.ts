export { chartOf } from './chart.ts';
export { clinicalTimeOf } from './clinical-time.ts';
export { longitudinalRoutes } from './longitudinal-routes.ts';
