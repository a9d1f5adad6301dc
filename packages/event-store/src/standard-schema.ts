/**
 * Lets in codecs that follow Standard Schema (zod, valibot, arktype and others) wherever an io-ts
 * codec stands. The specification describes reading only, so writing is the value itself unless an
 * encoder is given.
 */
import * as t from 'io-ts'

/** The part of Standard Schema, version 1, that is used here. */
export interface StandardSchema<A> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<A> | Promise<StandardResult<A>>
  }
}

export type StandardResult<A> =
  | { readonly value: A; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export interface FromStandardOptions<A> {
  /** Shown where a value does not fit; the vendor's name unless told. */
  readonly name?: string
  /** What is stored for a value: something that JSON has a form for, and that the schema reads. */
  readonly encode?: (value: A) => unknown
}

const keyOf = (part: PropertyKey | { readonly key: PropertyKey }): string =>
  String(typeof part === 'object' ? part.key : part)

function validate<A>(schema: StandardSchema<A>, value: unknown): StandardResult<A> {
  const result = schema['~standard'].validate(value)
  if (!(result instanceof Promise)) return result
  // A rejection that nobody waits for would end the process.
  result.catch(() => undefined)
  return { issues: [{ message: 'the schema is asynchronous, and events are read at once' }] }
}

/** The io-ts codec of a Standard Schema. */
export function fromStandardSchema<A>(
  schema: StandardSchema<A>,
  { encode = (value) => value, name = schema['~standard'].vendor }: FromStandardOptions<A> = {},
): t.Type<A, unknown> {
  return new t.Type<A, unknown>(
    name,
    (value): value is A => validate(schema, encode(value as A)).issues === undefined,
    (input, context) => {
      const result = validate(schema, input)
      if (result.issues === undefined) return t.success(result.value)
      return t.failures(
        result.issues.map(({ message, path = [] }) => ({
          value: input,
          context,
          message: path.length === 0 ? message : `${path.map(keyOf).join('.')}: ${message}`,
        })),
      )
    },
    encode,
  )
}
