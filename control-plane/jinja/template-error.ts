/** What is wrong with a template, without the place: the renderer adds the line where it was. */
export class TemplateFault extends Error {}

/** What is wrong with a template and where. */
export class TemplateError extends Error {
  /** From 1; null where the fault is about the whole. */
  readonly line: number | null;

  constructor(line: number | null, message: string) {
    super(message);
    this.name = 'TemplateError';
    this.line = line;
  }
}
