/** What both processes agree on: the topic and the shape of its messages. */
import { topic } from '@sagalog/client'
import * as t from 'io-ts'

const OrderBody = t.type({ order: t.number, customer: t.string })
export type OrderBody = t.TypeOf<typeof OrderBody>
export const Orders = topic('orders', OrderBody)
export const HOST = '127.0.0.1'
