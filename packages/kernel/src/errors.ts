/**
 * One error class per package, made from a table: the code is a key of the table, so a switch over
 * codes is exhaustive and the documents can be checked against the same rows. An error always says
 * whether the write happened, because that is what the caller must know before trying again.
 */

/** What a caller may do next. */
export type Retry = 'never' | 'same' | 'after-delay' | 'after-refresh' | 'after-reopen'
/** Did the write happen? `unknown` means: it may have. */
export type WriteState = 'unchanged' | 'unknown' | 'applied'

export interface ErrorRow {
  /** The sentence, with `{name}` for each detail. */
  readonly text: string
  /** What the person who reads it should do. */
  readonly advice: string
  readonly retry: Retry
  readonly state: WriteState
}

export type ErrorDetail = Readonly<Record<string, string | number | boolean>>

/** What every error of every Sagalog package has. */
export interface SagalogError<Code extends string> extends Error {
  readonly code: Code
  readonly advice: string
  readonly retry: Retry
  readonly state: WriteState
  readonly detail: ErrorDetail
}

export interface ErrorClass<Code extends string> {
  new (code: Code, detail?: ErrorDetail, options?: { cause?: unknown }): SagalogError<Code>
  /** True for errors of this table, also from another copy of the package. */
  is(value: unknown): value is SagalogError<Code>
  readonly table: Readonly<Record<Code, ErrorRow>>
}

const ANY = Symbol.for('sagalog.error')

/** True for an error of any Sagalog package: it has a code, and says what to do. */
export function isSagalogError(value: unknown): value is SagalogError<string> {
  return typeof value === 'object' && value !== null && ANY in value
}

function fill(text: string, detail: ErrorDetail): string {
  return text.replace(/\{(\w+)\}/g, (whole, key: string) =>
    Object.hasOwn(detail, key) ? String(detail[key]) : whole,
  )
}

/** Makes the error class of a package from its table. */
export function defineErrors<const Rows extends Readonly<Record<string, ErrorRow>>>(
  name: string,
  rows: Rows,
): ErrorClass<keyof Rows & string> {
  type Code = keyof Rows & string
  // Two copies of a package can be loaded side by side; a registered symbol is shared by both.
  const mark = Symbol.for(`sagalog.error.${name}`)
  const table: Readonly<Record<Code, ErrorRow>> = rows
  class TableError extends Error implements SagalogError<Code> {
    override readonly name = name
    readonly code: Code
    readonly advice: string
    readonly retry: Retry
    readonly state: WriteState
    readonly detail: ErrorDetail
    constructor(code: Code, detail: ErrorDetail = {}, options?: { cause?: unknown }) {
      const row = table[code]
      super(`${code}: ${fill(row.text, detail)}`, options)
      this.code = code
      this.advice = row.advice
      this.retry = row.retry
      this.state = row.state
      this.detail = detail
      Object.defineProperty(this, mark, { value: true })
      Object.defineProperty(this, ANY, { value: true })
    }
    static is(value: unknown): value is SagalogError<Code> {
      return typeof value === 'object' && value !== null && mark in value
    }
    static readonly table = table
  }
  return TableError
}
