/**
 * A command as both ends see it in memory: a request, a one-way request or a response, with its
 * typed payload. Bytes, field names and dialects are the business of `command-channel.ts`; a
 * channel that stays in the process hands commands over as they are.
 *
 * Invariant: a response carries the opaque number of its request; its `code` is a response code.
 */
import { assert } from '@sagalog/kernel'
import type { RequestCodec } from './request-codec.js'

/** Set in `flag` when the command answers a request. */
export const FLAG_RESPONSE = 1
/** Set in `flag` when the request must not be answered. */
export const FLAG_ONEWAY = 2

export interface Command<P = unknown> {
  /** A request code, or a response code when this is a response. */
  readonly code: number
  /** Matches a response to its request; int32, chosen by the end that asks. */
  readonly opaque: number
  /** Bit 0: response; bit 1: one-way. */
  readonly flag: number
  /** Words for people, mostly why a request was refused. */
  readonly remark?: string
  readonly payload: P
}

export const isResponse = (command: Command): boolean => (command.flag & FLAG_RESPONSE) !== 0
export const isOneway = (command: Command): boolean => (command.flag & FLAG_ONEWAY) !== 0

/** A request that wants an answer. */
export function requestOf<Req, Res>(
  codec: RequestCodec<Req, Res>,
  opaque: number,
  payload: Req,
): Command<Req> {
  return { code: codec.code, opaque, flag: 0, payload }
}

/** A request that must not be answered. */
export function onewayOf<Req, Res>(
  codec: RequestCodec<Req, Res>,
  opaque: number,
  payload: Req,
): Command<Req> {
  return { code: codec.code, opaque, flag: FLAG_ONEWAY, payload }
}

export interface Answer<Res> {
  readonly code: number
  readonly payload: Res
  readonly remark?: string
}

/** The response to `request`. A refusal has the payload `undefined`. */
export function responseOf<Res>(request: Command, answer: Answer<Res>): Command<Res> {
  const { code, payload, remark } = answer
  const { opaque } = request
  if (remark === undefined) return { code, opaque, flag: FLAG_RESPONSE, payload }
  return { code, opaque, flag: FLAG_RESPONSE, remark, payload }
}

/** The payload of a request of `codec`. The code is the proof of the type. */
export function requestPayload<Req, Res>(codec: RequestCodec<Req, Res>, command: Command): Req {
  assert(
    command.code === codec.code && !isResponse(command),
    'the command is a request of the codec',
  )
  return command.payload as Req
}

/** The payload of a response to a request of `codec`; undefined in most refusals. */
export function responsePayload<Req, Res>(
  _codec: RequestCodec<Req, Res>,
  command: Command,
): Res | undefined {
  assert(isResponse(command), 'the command is a response')
  return command.payload as Res | undefined
}
