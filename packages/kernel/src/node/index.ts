export { nodeClock } from './clock-node.js'
export { nodeRandom } from './random-node.js'
export { connectSocket, listenSockets, socketChannel } from './socket-channel.js'
export type { SocketAddress, SocketChannelOptions, SocketListener } from './socket-channel.js'
