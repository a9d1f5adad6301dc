/** Numbers as people read them. */

export const plural = (count: number, thing: string): string =>
  `${count} ${thing}${count === 1 ? '' : 's'}`

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** Bytes with the unit that leaves at most four digits: `64.0 MiB`. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0]
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ''}`
}
