import type { PreviewRoles, RolePreview } from '../../protocol/api/machine-roles.ts';
import type { ServerContext } from '../context.ts';
import { ApiError, unprocessable } from '../http/api-error.ts';
import { TemplateError } from '../jinja/template-error.ts';
import { TemplateRenderer } from '../jinja/template-renderer.ts';
import { RenderError, type RenderMachine } from '../services.ts';
import { mergeRoles, type RenderedRole } from '../user-data/merge-roles.ts';
import { inMergeOrder, type RenderableRole, rolesOfMachine, rolesOfNames } from './load-roles.ts';
import { type MachineContext, machineContext, roleContext, withoutSecrets } from './template-context.ts';

export interface RoleRenderer {
  readonly renderMachine: RenderMachine;
  /** What a machine would get from these roles, with placeholders for secrets. @throws ApiError 422. */
  readonly previewRoles: (wanted: PreviewRoles) => Promise<RolePreview>;
  /** Ends the thread that renders; what is being rendered fails as `aborted`. */
  readonly close: () => Promise<void>;
}

/** Renders the roles of machines to user data. Its thread starts with the first template. */
export function createRenderer(context: ServerContext): RoleRenderer {
  const templates = new TemplateRenderer();
  return {
    renderMachine: async (machineUuid) => {
      const common = machineContext(context, machineUuid);
      try {
        return mergeRoles(await renderRoles(templates, common, rolesOfMachine(context, machineUuid)));
      } catch (error) {
        throw error instanceof RenderError ? redacted(error, common.secrets) : error;
      }
    },
    previewRoles: (wanted) => previewRoles(context, templates, wanted),
    close: () => templates.close(),
  };
}

async function previewRoles(
  context: ServerContext,
  templates: TemplateRenderer,
  wanted: PreviewRoles,
): Promise<RolePreview> {
  const common = withoutSecrets(contextOf(context, wanted.machine_uuid));
  const rendered: RenderedRole[] = [];
  try {
    await renderRoles(templates, common, wantedRoles(context, wanted), rendered);
    const { userData, parts } = mergeRoles(rendered);
    return {
      user_data: userData,
      parts: parts.map(({ contentType, fileName, text }) => ({ content_type: contentType, file_name: fileName, text })),
      roles: rendered,
      error: null,
    };
  } catch (error) {
    if (!(error instanceof RenderError)) throw error;
    const { roleName, line, message } = error;
    return { user_data: null, parts: [], roles: rendered, error: { role_name: roleName, line, message } };
  }
}

/** @param rendered Gets each role as soon as it is rendered, so that those before a fault can be shown. */
async function renderRoles(
  templates: TemplateRenderer,
  common: MachineContext,
  roles: readonly RenderableRole[],
  rendered: RenderedRole[] = [],
): Promise<RenderedRole[]> {
  for (const role of inMergeOrder(roles)) {
    if (role.requiresMesh && common.machine.mesh === null) {
      throw new RenderError(role.name, null, 'the role needs a mesh network and the machine is in none');
    }
    try {
      rendered.push({ name: role.name, text: await templates.render(role.template, roleContext(common, role)) });
    } catch (error) {
      throw error instanceof TemplateError ? new RenderError(role.name, error.line, error.message) : error;
    }
  }
  return rendered;
}

/** The roles that a preview is about; the draft takes the place of the role of its name, or comes last. */
function wantedRoles(context: ServerContext, { machine_uuid, role_names, draft }: PreviewRoles): RenderableRole[] {
  const saved =
    role_names === undefined
      ? rolesOfMachine(context, machine_uuid)
      : rolesOfNames(
          context,
          role_names.filter((name) => name !== draft?.name),
        );
  if (draft === undefined) return saved;
  const role: RenderableRole = {
    name: draft.name,
    mergePriority: draft.merge_priority,
    template: draft.template_data,
    requiresMesh: false,
  };
  const names = role_names ?? saved.map(({ name }) => name);
  const place = names.indexOf(draft.name);
  const others = saved.filter(({ name }) => name !== draft.name);
  return place < 0 ? [...others, role] : others.toSpliced(place, 0, role);
}

function contextOf(context: ServerContext, machineUuid: string): MachineContext {
  try {
    return machineContext(context, machineUuid);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404)
      throw unprocessable('machine_uuid', 'there is no such machine');
    throw error;
  }
}

/** A message that is stored and shown never repeats a secret, also where a parser quoted the text it failed on. */
function redacted(error: RenderError, secrets: Readonly<Record<string, string>>): RenderError {
  const prefix = new RenderError(error.roleName, error.line, '').message;
  let message = error.message.slice(prefix.length);
  for (const [name, value] of Object.entries(secrets)) {
    for (const piece of new Set([value, ...value.split('\n')])) {
      if (piece.trim().length >= 4) message = message.replaceAll(piece, `<secret ${name}>`);
    }
  }
  return new RenderError(error.roleName, error.line, message);
}
