/**
 * Turns what an io-ts codec found into one line for people: where, what was expected, what stood
 * there.
 */
import type * as t from 'io-ts'

const VALUE_CHARS_MAX = 60

function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : (json(value) ?? String(value))
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text
}

function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

function lineOf(error: t.ValidationError): string {
  const path = error.context
    .slice(1)
    .map((entry) => entry.key)
    .filter((key) => key !== '')
    .join('.')
  const expected = error.context.at(-1)?.type.name ?? 'another value'
  const found = error.message ?? `expected ${expected}, got ${shown(error.value)}`
  return path === '' ? found : `${path}: ${found}`
}

/** One line for all findings of a failed decode. */
export function reportOf(errors: t.Errors): string {
  return [...new Set(errors.map(lineOf))].join('; ')
}
