/** The tree of a parsed template. Every node knows the line that it begins on, from 1. */
export type Expression = { readonly line: number } & (
  | { readonly kind: 'constant'; readonly value: string | bigint | number | boolean | null }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list' | 'tuple'; readonly items: readonly Expression[] }
  | { readonly kind: 'dict'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: 'member'; readonly object: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly object: Expression; readonly index: Expression }
  | { readonly kind: 'slice'; readonly object: Expression; readonly bounds: readonly (Expression | null)[] }
  | { readonly kind: 'call'; readonly callee: Expression; readonly args: CallArguments }
  | { readonly kind: 'filter'; readonly operand: Expression; readonly name: string; readonly args: CallArguments }
  | { readonly kind: 'test'; readonly operand: Expression; readonly name: string; readonly args: CallArguments }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'sign'; readonly sign: '-' | '+'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'concat'; readonly items: readonly Expression[] }
  | { readonly kind: 'compare'; readonly first: Expression; readonly rest: readonly Comparison[] }
  | {
      readonly kind: 'condition';
      readonly test: Expression;
      readonly value: Expression;
      readonly otherwise: Expression | null;
    }
);

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

export interface Comparison {
  readonly operator: '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';
  readonly right: Expression;
}

export interface CallArguments {
  readonly positional: readonly Expression[];
  /** `*list` after the positional ones. */
  readonly spread: Expression | null;
  readonly named: readonly { readonly name: string; readonly value: Expression }[];
  /** `**dict` at the end. */
  readonly namedSpread: Expression | null;
}

export interface FilterUse {
  readonly name: string;
  readonly args: CallArguments;
  readonly line: number;
}

/** What `set`, `for` and `with` assign to. */
export type Target =
  | { readonly kind: 'name'; readonly name: string; readonly line: number }
  | { readonly kind: 'tuple'; readonly items: readonly Target[]; readonly line: number }
  | { readonly kind: 'attribute'; readonly object: string; readonly name: string; readonly line: number };

export interface Parameter {
  readonly name: string;
  readonly defaultValue: Expression | null;
}

export type Statement = { readonly line: number } & (
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: Expression }
  | { readonly kind: 'if'; readonly test: Expression; readonly body: Body; readonly otherwise: Body }
  | ForStatement
  | { readonly kind: 'set'; readonly target: Target; readonly value: Expression }
  | { readonly kind: 'set_block'; readonly target: Target; readonly filters: readonly FilterUse[]; readonly body: Body }
  | { readonly kind: 'with'; readonly values: readonly (readonly [Target, Expression])[]; readonly body: Body }
  | MacroStatement
  | {
      readonly kind: 'call_block';
      readonly parameters: readonly Parameter[];
      readonly call: Extract<Expression, { kind: 'call' }>;
      readonly body: Body;
    }
  | { readonly kind: 'filter_block'; readonly filters: readonly FilterUse[]; readonly body: Body }
  | { readonly kind: 'block'; readonly body: Body }
  | { readonly kind: 'do'; readonly value: Expression }
  | { readonly kind: 'break' | 'continue' }
);

export interface ForStatement {
  readonly kind: 'for';
  readonly line: number;
  readonly target: Target;
  readonly iterable: Expression;
  readonly condition: Expression | null;
  readonly isRecursive: boolean;
  readonly body: Body;
  readonly otherwise: Body;
}

export interface MacroStatement {
  readonly kind: 'macro';
  readonly line: number;
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly body: Body;
}

export type Body = readonly Statement[];
