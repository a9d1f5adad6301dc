/**
 * How long a message asks to be kept back: for a time, by RocketMQ's levels or exactly, or until
 * the wall clock reads a time.
 */
import { delayLevelMs, MessageConst, propertyOf } from '@sagalog/protocol'
import { TIMER_DELAY_MS_MAX } from './limits.js'

const SECOND = 1_000
const WHOLE = /^\d{1,16}$/

/** `until` is a time of the wall clock; both are milliseconds. */
export type Delay = { readonly forMs: number } | { readonly untilMs: number }

/**
 * The delay that the properties ask for; undefined when they ask for none, or for a time that is
 * over; `invalid` names a property that makes no sense.
 */
export function askedDelay(
  properties: string,
  wallMs: number,
): Delay | { readonly invalid: string } | undefined {
  if (!properties.includes('DELAY') && !properties.includes('TIMER_DELIVER')) return undefined
  for (const [name, delayOf] of ASKED) {
    const text = propertyOf(properties, name)
    if (text === undefined) continue
    if (!WHOLE.test(text)) return { invalid: name }
    const delay = delayOf(Number(text))
    const leftMs = 'forMs' in delay ? delay.forMs : delay.untilMs - wallMs
    if (!(leftMs <= TIMER_DELAY_MS_MAX)) return { invalid: name }
    return leftMs > 0 ? delay : undefined
  }
  return undefined
}

const ASKED: readonly (readonly [string, (value: number) => Delay])[] = [
  [MessageConst.PROPERTY_DELAY_TIME_LEVEL, (level) => ({ forMs: delayLevelMs(level) })],
  [MessageConst.PROPERTY_TIMER_DELIVER_MS, (atMs) => ({ untilMs: atMs })],
  [MessageConst.PROPERTY_TIMER_DELAY_MS, (ms) => ({ forMs: ms })],
  [MessageConst.PROPERTY_TIMER_DELAY_SEC, (seconds) => ({ forMs: seconds * SECOND })],
]
