/** What the three processes agree on: the topics of the commands and what the services answer. */
import { topic } from '@sagalog/client'
import * as t from 'io-ts'

export const Line = t.type({ order: t.string, item: t.string, count: t.number }, 'Line')
export const Charge = t.type({ order: t.string, cents: t.number }, 'Charge')
export const StockCommands = topic('three-stock', Line, { queues: 4 })
export const PaymentCommands = topic('three-payment', Charge, { queues: 4 })

export const Reserved = t.type({ from: t.string }, 'Reserved')
export const Receipt = t.type({ receipt: t.string }, 'Receipt')
/** What a service refuses by `throw new Refuse(tag, details)`. */
export const Refusal = t.type({ tag: t.string, details: t.unknown }, 'Refusal')
