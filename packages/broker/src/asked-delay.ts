/** How long a message asks to be kept back: by RocketMQ's level, by a time, or until a time. */
import { delayLevelMs, MessageConst, propertyOf } from '@sagalog/protocol'
import { TIMER_DELAY_MS_MAX } from './limits.js'

const SECOND = 1_000
const WHOLE = /^\d{1,16}$/

/**
 * How long the message is to be kept back, in milliseconds from now; 0 when it asks for nothing, or
 * for a time that is over; `invalid` names a property that makes no sense.
 */
export function delayOf(properties: string, wallMs: number): number | { invalid: string } {
  if (!properties.includes('DELAY') && !properties.includes('TIMER_DELIVER')) return 0
  for (const [name, msOf] of ASKED) {
    const text = propertyOf(properties, name)
    if (text === undefined) continue
    const ms = WHOLE.test(text) ? msOf(Number(text), wallMs) : Number.NaN
    if (!(ms <= TIMER_DELAY_MS_MAX)) return { invalid: name }
    return Math.max(0, ms)
  }
  return 0
}

const ASKED: readonly (readonly [string, (value: number, wallMs: number) => number])[] = [
  [MessageConst.PROPERTY_DELAY_TIME_LEVEL, (level) => delayLevelMs(level)],
  [MessageConst.PROPERTY_TIMER_DELIVER_MS, (atMs, wallMs) => atMs - wallMs],
  [MessageConst.PROPERTY_TIMER_DELAY_MS, (ms) => ms],
  [MessageConst.PROPERTY_TIMER_DELAY_SEC, (seconds) => seconds * SECOND],
]
