/** One request codec with arbitraries of its request and of its response. */
import type * as fc from 'fast-check'
import type { RequestCodec } from '../src/index.js'

export interface Case {
  readonly codec: RequestCodec<unknown, unknown>
  readonly request: fc.Arbitrary<unknown>
  readonly response: fc.Arbitrary<unknown>
}

export function caseOf<Req, Res>(
  codec: RequestCodec<Req, Res>,
  request: fc.Arbitrary<Req>,
  response: fc.Arbitrary<Res>,
): Case {
  return { codec, request, response }
}
