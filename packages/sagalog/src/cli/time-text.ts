/** Times as people read them. It reads no clock. */

/** Milliseconds since 1970 as `2026-01-31T23:59:59.999Z`. */
export const timeText = (ms: number): string => new Date(ms).toISOString()
