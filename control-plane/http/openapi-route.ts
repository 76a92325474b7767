import { z } from 'zod';
import { openApiDocument } from './openapi.ts';
import { defineRoute, type Route } from './route.ts';

/** `GET /api/openapi.json`: the document of all the given routes and of itself. */
export function openApiRoute(routes: readonly Route[], version: string): Route {
  let document: Record<string, unknown> | undefined;
  const route: Route = defineRoute({
    method: 'GET',
    path: '/api/openapi.json',
    operationId: 'controlplane_api_openapi',
    tag: 'Server',
    summary: 'Describe this API (OpenAPI 3.1)',
    access: 'public',
    responses: { 200: z.record(z.string(), z.unknown()) },
    handle: () => {
      document ??= openApiDocument([...routes, route], version);
      return document;
    },
  });
  return route;
}
