export { listenTcp } from './listen-tcp.js'
