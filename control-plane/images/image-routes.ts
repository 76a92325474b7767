import { z } from 'zod';
import { imageCreateSchema, imageSchema, imageUpdateSchema } from '../../protocol/api/images.ts';
import type { ServerContext } from '../context.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { createImage, deleteImage, getImage, listImages, updateImage } from './store-image.ts';

const tag = 'Images';
const params = z.object({ uuid: z.uuid() });
const collection = '/api/provisioning/images/';
const item = '/api/provisioning/images/{uuid}';

/** Images that machines can be installed from. */
export function imageRoutes(context: ServerContext): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: collection,
      operationId: 'provisioning_api_list_images',
      tag,
      summary: "List images, the account's own and official ones",
      access: 'api',
      responses: { 200: z.array(imageSchema) },
      handle: () => listImages(context),
    }),
    defineRoute({
      method: 'POST',
      path: collection,
      operationId: 'provisioning_api_create_image',
      tag,
      summary: 'Register an image',
      access: 'api',
      body: imageCreateSchema,
      responses: { 201: imageSchema },
      errors: [409],
      handle: ({ body }) => createImage(context, body),
    }),
    defineRoute({
      method: 'GET',
      path: item,
      operationId: 'provisioning_api_get_image',
      tag,
      summary: 'Get an image',
      access: 'api',
      params,
      responses: { 200: imageSchema },
      handle: ({ params: { uuid } }) => getImage(context, uuid),
    }),
    defineRoute({
      method: 'PATCH',
      path: item,
      operationId: 'provisioning_api_update_image',
      tag,
      summary: 'Change an image; what is absent stays as it is',
      access: 'api',
      params,
      body: imageUpdateSchema,
      responses: { 200: imageSchema },
      errors: [403, 409],
      handle: ({ params: { uuid }, body }) => updateImage(context, uuid, body),
    }),
    defineRoute({
      method: 'DELETE',
      path: item,
      operationId: 'provisioning_api_delete_image',
      tag,
      summary: 'Forget an image that nothing uses',
      access: 'api',
      params,
      responses: { 204: null },
      errors: [403, 409],
      handle: ({ params: { uuid } }) => deleteImage(context, uuid),
    }),
  ];
}
