/**
 * UNREGISTER_CLIENT (35): a client leaves. Java sends one call per group.
 *
 *   request   clientID, producerGroup?, consumerGroup?
 *   response  nothing
 */
import { textField } from '../fields.js'
import { encodedNothing, noBody, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface UnregisterRequest {
  readonly clientId: string
  readonly producerGroup?: string
  readonly consumerGroup?: string
}

export const unregister: RequestCodec<UnregisterRequest, Nothing> = {
  code: RequestCode.UNREGISTER_CLIENT,
  name: 'unregister',
  encodeRequest(request) {
    const fields = new Map([['clientID', request.clientId]])
    if (request.producerGroup !== undefined) fields.set('producerGroup', request.producerGroup)
    if (request.consumerGroup !== undefined) fields.set('consumerGroup', request.consumerGroup)
    return { fields, body: noBody }
  },
  decodeRequest({ fields }): UnregisterRequest {
    const producerGroup = fields.get('producerGroup')
    const consumerGroup = fields.get('consumerGroup')
    return {
      clientId: textField(fields, 'clientID'),
      ...(producerGroup === undefined ? {} : { producerGroup }),
      ...(consumerGroup === undefined ? {} : { consumerGroup }),
    }
  },
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
