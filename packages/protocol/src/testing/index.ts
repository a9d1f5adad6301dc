export { byteChannelPair } from './byte-channel-pair.js'
