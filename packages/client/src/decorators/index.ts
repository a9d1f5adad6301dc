export { listenWith, type ListenWithOptions, MessageListener } from './message-listener.js'
export type { Listens, MessageListenerOptions } from './message-listener.js'
