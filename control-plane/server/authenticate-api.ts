import type { FastifyRequest } from 'fastify';
import type { ServerContext } from '../context.ts';
import { accountOfApiToken } from '../enrolment/api-tokens.ts';
import { ApiError } from '../http/api-error.ts';

/** Gives the account of a request's bearer token (RFC 6750, section 2.1). The function throws ApiError 401. */
export function authenticateApi(context: ServerContext): (request: FastifyRequest) => string {
  return (request) => {
    const token = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) throw new ApiError(401, 'an API token is needed: Authorization: Bearer dur_…');
    const accountUuid = accountOfApiToken(context, token);
    if (accountUuid === null) throw new ApiError(401, 'the API token is not valid');
    return accountUuid;
  };
}
