/**
 * One table from request code to its translation. A new translation is a file in `requests/` with
 * the stem of the request, and a line here; what has none is refused.
 */
import * as protocol from '@sagalog/protocol'
import type { OneWayTranslation, Translation } from './cluster.js'
import { commit } from './requests/commit.js'
import { createTopic } from './requests/create-topic.js'
import { endTransaction } from './requests/end-transaction.js'
import { leaseQueues } from './requests/lease-queues.js'
import { pullMessage } from './requests/pull-message.js'
import { resetOffset } from './requests/reset-offset.js'
import { sendBatch } from './requests/send-batch.js'
import { sendMessage, sendOneWay } from './requests/send-message.js'
import { topicRoute } from './requests/topic-route.js'
import { viewMessage } from './requests/view-message.js'

type AnyTranslation = Translation<unknown, unknown>
type AnyOneWay = OneWayTranslation<unknown>

// The codec of a request is the proof of its type; the table forgets it.
const row = <Req, Res>(
  codec: protocol.RequestCodec<Req, Res>,
  translation: Translation<Req, Res>,
): [number, AnyTranslation] => [codec.code, translation as AnyTranslation]

const oneWayRow = <Req, Res>(
  codec: protocol.RequestCodec<Req, Res>,
  translation: OneWayTranslation<Req>,
): [number, AnyOneWay] => [codec.code, translation as AnyOneWay]

const TRANSLATIONS: ReadonlyMap<number, AnyTranslation> = new Map([
  row(protocol.topicRoute, topicRoute),
  row(protocol.createTopic, createTopic),
  row(protocol.sendMessage, sendMessage),
  row(protocol.sendBatch, sendBatch),
  row(protocol.endTransaction, endTransaction),
  row(protocol.viewMessage, viewMessage),
  row(protocol.leaseQueues, leaseQueues),
  row(protocol.pullMessage, pullMessage),
  row(protocol.commit, commit),
  row(protocol.resetOffset, resetOffset),
])

const ONE_WAY: ReadonlyMap<number, AnyOneWay> = new Map([
  oneWayRow(protocol.sendMessage, sendOneWay),
])

/** Undefined: a cluster can not do it. */
export function translationOf<Req, Res>({
  code,
}: protocol.RequestCodec<Req, Res>): Translation<Req, Res> | undefined {
  return TRANSLATIONS.get(code) as Translation<Req, Res> | undefined
}

/** Undefined: nothing is sent so. */
export function oneWayOf<Req, Res>({
  code,
}: protocol.RequestCodec<Req, Res>): OneWayTranslation<Req> | undefined {
  return ONE_WAY.get(code)
}
