// OpenAI's client for Node, unchanged, against the service: node openai.mjs PACKAGE URL. Prints one JSON document.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { default: OpenAI, toFile } = await import(pathToFileURL(join(process.argv[2], 'index.mjs')));
const client = new OpenAI({ apiKey: 'any-key', baseURL: `${process.argv[3]}/v1`, maxRetries: 0 });
const png = (await client.images.generate({ prompt: 'a lion', seed: 7, num_inference_steps: 2 })).data[0].b64_json;
const file = () => toFile(Buffer.from(png, 'base64'), 'lion.png', { type: 'image/png' });

const events = [];
const stream = await client.images.generate(
  { prompt: 'a lion', stream: true, partial_images: 2, seed: 7, num_inference_steps: 4 });
for await (const event of stream) events.push(event.type);

const edited = await client.images.edit({ image: await file(), prompt: 'a red lion' });
const varied = await client.images.createVariation({ image: await file(), n: 2, size: '256x256' });
const embedded = await client.embeddings.create({ input: ['a lion', 'un león'] });
const floats = await client.embeddings.create({ input: 'a lion', encoding_format: 'float' });
const models = [];
for await (const model of client.models.list()) models.push(model.id);
const error = await client.images.generate({ model: 'no-such-model', prompt: 'a lion' }).then(() => null, e => e);

console.log(JSON.stringify({
  png, events, models,
  edited: edited.data[0].b64_json, varied: varied.data.map(each => each.b64_json),
  embedded: embedded.data.map(each => each.embedding), floats: floats.data[0].embedding,
  error: { status: error.status, code: error.code },
}));
