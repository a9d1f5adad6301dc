export { listenTcp, type ListenOptions } from './listen-tcp.js'
