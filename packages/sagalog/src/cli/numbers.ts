/** Numbers from the command line: whole ones, between bounds, or the argument is wrong. */
import { InvalidArgumentError } from 'commander'

/** Reads an argument for commander. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`
    throw new InvalidArgumentError(`A whole number ${range} is needed.`)
  }
}
