/** Times as people read them. It reads no clock. */

/** Milliseconds since 1970 as `2026-01-31T23:59:59.999Z`. */
export const timeText = (ms: number): string => new Date(ms).toISOString()

/** The milliseconds since 1970 of such a text; undefined when it is none. */
export function timeOf(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(text))
    return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) || ms < 0 ? undefined : ms
}
