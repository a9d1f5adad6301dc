/** One stored message, by the host and the position in its offset id. */
import {
  clusterInfo,
  nothing,
  ResponseCode,
  viewMessage as viewMessageRequest,
  type ViewMessageRequest,
  type ViewMessageResponse,
} from '@sagalog/protocol'
import { rejectedBy, type Reply } from '../../connection.js'
import { askBroker, type Cluster, timeLeft } from '../cluster.js'
import { unsupported } from '../refusals.js'

export async function viewMessage(
  cluster: Cluster,
  request: ViewMessageRequest,
  deadlineMs: number,
): Promise<Reply<ViewMessageResponse>> {
  const { storeHost } = request
  if (storeHost === undefined) throw unsupported('a lookup by position alone')
  // The host comes out of an id that somebody typed: nobody else than the cluster is asked.
  const found = await cluster.names.request(clusterInfo, nothing, timeLeft(cluster, deadlineMs))
  if (found.payload === undefined) throw rejectedBy(clusterInfo.name, found)
  const broker = found.payload.brokers.find(({ brokerAddress }) => brokerAddress === storeHost)
  if (broker === undefined) {
    const remark = `the cluster has no broker ${storeHost}`
    return { code: ResponseCode.SYSTEM_ERROR, remark, payload: undefined }
  }
  const question = { codec: viewMessageRequest, payload: request, deadlineMs }
  return await askBroker(cluster, broker.brokerAddress, question)
}
