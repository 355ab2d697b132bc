// Values of the normalized topic -> trades, by a general Avro decoder: not by the worker's own code, which wrote them.
import avsc from 'avsc';
import { openRegistry, type RegistryAccess } from '../api/secrets.ts';
import { requestText } from '../runtime/request.ts';
import type { NormalizedTrade } from './compare.ts';

/** A zero, and the schema's id: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format */
const framingBytes = 5;

const requestMsMax = 10_000;

interface Decoder {
  type: avsc.Type;
  /** Undefined: written in the very schema. */
  resolver: avsc.Resolver | undefined;
}

export class TradeDecoder {
  readonly #schema: avsc.Type;
  readonly #registryUrl: string | null;
  readonly #access: RegistryAccess;
  /** By the registry's id of the schema that a trade was written in; or why such trades cannot be read. */
  readonly #decoders = new Map<number, Decoder | string>();

  /**
   * @param schema text of schemas/normalized-trade.avsc: what is read
   * @param registryUrl tells the schema that a trade was written in; null: that is the same
   */
  constructor(schema: string, registryUrl: string | null, access: RegistryAccess = openRegistry) {
    this.#schema = avsc.Type.forSchema(JSON.parse(schema));
    this.#registryUrl = registryUrl;
    this.#access = access;
  }

  /**
   * Asks the registry, once for each schema.
   * @returns undefined: nothing has to be asked before decode()
   * @throws Error one sentence: the registry does not answer
   */
  learn(value: Buffer | null): Promise<void> | undefined {
    const id = idOf(value);
    return id === null || this.#registryUrl === null || this.#decoders.has(id)
      ? undefined
      : this.#learn(id, this.#registryUrl);
  }

  /** @returns why it cannot be read, a few words */
  decode(value: Buffer | null): NormalizedTrade | string {
    const id = idOf(value);
    if (value === null || id === null) return value === null ? 'it has no value' : "it lacks the registry's framing";
    const decoder = this.#decoders.get(id) ?? { type: this.#schema, resolver: undefined };
    if (typeof decoder === 'string') return decoder;
    try {
      return decoder.type.fromBuffer(value.subarray(framingBytes), decoder.resolver);
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #learn(id: number, registryUrl: string): Promise<void> {
    const url = `${registryUrl.replace(/\/+$/, '')}/schemas/ids/${id}`;
    const request = { ...this.#access, timeoutMs: requestMsMax };
    const { status, body } = await requestText(url, request).catch((error: Error) => {
      throw new Error(`schema registry ${registryUrl} does not answer: ${error.message}`, { cause: error });
    });
    if (status === 404) {
      this.#decoders.set(id, `the registry knows no schema ${id}`);
      return;
    }
    if (status !== 200) throw new Error(`schema registry ${registryUrl} answers ${status}: ${body.slice(0, 200)}`);
    this.#decoders.set(id, this.#decoderOf(id, body));
  }

  #decoderOf(id: number, body: string): Decoder | string {
    try {
      const { schema } = JSON.parse(body) as { schema: string };
      const type = avsc.Type.forSchema(JSON.parse(schema));
      return type.equals(this.#schema)
        ? { type: this.#schema, resolver: undefined }
        : { type: this.#schema, resolver: this.#schema.createResolver(type) };
    } catch (error) {
      return `its schema ${id} cannot be read as a normalized trade: ${(error as Error).message}`;
    }
  }
}

const idOf = (value: Buffer | null) =>
  value !== null && value.length > framingBytes && value[0] === 0 ? value.readUInt32BE(1) : null;
