/**
 * How one kind of request travels: named text fields in the header, and a body. Each file in
 * `requests/` owns one codec. A decoder takes any fields and bytes and gives a value or throws
 * `ProtocolError`; it never trusts a count or a length.
 */

import type { FieldsInPlace } from './fields-in-place.js'

/** The text fields of a header; RocketMQ's `extFields`. */
export type Fields = ReadonlyMap<string, string>

export interface Encoded {
  readonly fields: Fields
  readonly body: Buffer
}

export interface RequestCodec<Req, Res> {
  readonly code: number
  /** The stem of the file in `requests/`, in camel case. */
  readonly name: string
  /** An older code; its requests are read as well and arrive under `code`. */
  readonly alsoCode?: number
  /** Response codes besides SUCCESS whose responses carry the payload. */
  readonly payloadCodes?: readonly number[]
  /** Fields of a response that has no payload, where old clients need some. */
  readonly failureFields?: Fields
  encodeRequest(request: Req): Encoded
  decodeRequest(encoded: Encoded): Req
  encodeResponse(response: Res): Encoded
  decodeResponse(encoded: Encoded): Res
  /** Quicker ways for the fields of a binary header, where a request is worth it. */
  readonly requestInPlace?: FieldsInPlace<Req>
  readonly responseInPlace?: FieldsInPlace<Res>
}

/** A payload that says nothing beyond its command. */
export type Nothing = Readonly<Record<string, never>>

export const nothing: Nothing = Object.freeze({})
export const noFields: Fields = new Map<string, string>()
export const noBody: Buffer = Buffer.alloc(0)
export const encodedNothing: Encoded = { fields: noFields, body: noBody }
