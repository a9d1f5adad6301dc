/** GET_BROKER_CLUSTER_INFO: this broker is its own name server, and the only one it knows. */
import type { Nothing } from '@sagalog/protocol'
import type { Call } from '../core.js'

export function clusterInfo(call: Call, _request: Nothing): void {
  const { log, settings } = call.core
  const brokerAddress = `${settings.host}:${settings.port}`
  const info = { brokers: [{ brokerName: settings.name, brokerAddress }] }
  call.answer(info, log.watermark('memory'))
}
