const longestText = 200;

/**
 * What an error body says, as one short line for a person: the registry's `errors` list (distribution-spec "Error
 * Codes"), else the text of HTML or plain text. Empty when it says nothing.
 */
export function readableErrorBody(body: string): string {
  const text = fromJson(body) ?? fromHtml(body);
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return line.length <= longestText ? line : `${line.slice(0, longestText - 1)}…`;
}

function fromJson(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null) return undefined;
    if ('errors' in value && Array.isArray(value.errors))
      return value.errors.map(describeEntry).filter(Boolean).join('; ');
    return describeEntry(value) || undefined;
  } catch {
    return undefined;
  }
}

function describeEntry(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null) return '';
  const fields = entry as Record<string, unknown>;
  return [fields['code'], fields['message'] ?? fields['details']]
    .filter((field) => typeof field === 'string')
    .join(': ');
}

function fromHtml(body: string): string {
  return body
    .replace(/<(script|style|head)\b[\s\S]*?<\/\1\s*>/gi, (block) => /<title[^>]*>([^<]*)/i.exec(block)?.[1] ?? '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(amp|lt|gt|quot|nbsp|#39);/g, (entity) => entities[entity] ?? ' ');
}

const entities: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
};
