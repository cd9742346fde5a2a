// The first program of everybody who tries SQS, but for the endpoint.
"use strict";

const {
  SQSClient, GetQueueUrlCommand, SendMessageCommand, ReceiveMessageCommand, DeleteMessageCommand,
} = require("@aws-sdk/client-sqs");

async function main() {
  const client = new SQSClient({
    endpoint: process.env.RESTANTE_ENDPOINT,
    region: "us-east-1",
    credentials: { accessKeyId: "AKID", secretAccessKey: "SECRET" },
  });
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: "first" }));
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "Hello World!" }));
  const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
  for (const { Body, ReceiptHandle } of Messages) {
    console.log(Body);
    await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  }
  client.destroy();
}

main();
