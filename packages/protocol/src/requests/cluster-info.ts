/**
 * GET_BROKER_CLUSTER_INFO (106), asked of a name server: the brokers there are.
 *
 *   request   nothing
 *   response  body: {"brokerAddrTable":{"name":{"brokerAddrs":{0:"ip:port"},"brokerName":"name",
 *             "cluster":"…","enableActingMaster":false}},"clusterAddrTable":{"…":["name"]}}
 *
 * Java writes the ids of the addresses without quotes, and reads them with and without.
 */
import { jsonBody, jsonObject, type JsonObject, jsonText, looseJsonObjectOf } from '../json-body.js'
import { encodedNothing, noFields, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface BrokerOfCluster {
  readonly brokerName: string
  /** `host:port` of its master. */
  readonly brokerAddress: string
}

export interface ClusterInfoResponse {
  /** Those that have a master. */
  readonly brokers: readonly BrokerOfCluster[]
}

const CLUSTER = 'DefaultCluster'

function brokerOf(row: JsonObject): BrokerOfCluster | undefined {
  const addresses = jsonObject(row, 'brokerAddrs')
  if (!Object.hasOwn(addresses, '0')) return undefined
  return { brokerName: jsonText(row, 'brokerName'), brokerAddress: jsonText(addresses, '0') }
}

export const clusterInfo: RequestCodec<Nothing, ClusterInfoResponse> = {
  code: RequestCode.GET_BROKER_CLUSTER_INFO,
  name: 'clusterInfo',
  encodeRequest: () => encodedNothing,
  decodeRequest: () => nothing,
  encodeResponse({ brokers }) {
    const rows = brokers.map(({ brokerAddress, brokerName }) => {
      const row = { brokerAddrs: { '0': brokerAddress }, brokerName, cluster: CLUSTER }
      return [brokerName, { ...row, enableActingMaster: false }] as const
    })
    const body = jsonBody({
      brokerAddrTable: Object.fromEntries(rows),
      clusterAddrTable: { [CLUSTER]: brokers.map(({ brokerName }) => brokerName) },
    })
    return { fields: noFields, body }
  },
  decodeResponse({ body }): ClusterInfoResponse {
    const table = jsonObject(looseJsonObjectOf(body), 'brokerAddrTable')
    const found = Object.keys(table).map((name) => brokerOf(jsonObject(table, name)))
    return { brokers: found.filter((broker) => broker !== undefined) }
  },
}
