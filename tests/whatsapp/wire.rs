//! A connection as WhatsApp's servers have it: a WebSocket, the Noise handshake of either kind, frames and nodes.
use std::net::TcpStream;
use std::time::Duration;
use tungstenite::{Message, WebSocket};
use wa::cert_chain::NoiseCertificate;
use wacore::handshake::NoiseHandshake;
use wacore::libsignal::protocol::KeyPair;
use wacore::noise::NoiseCipher;
use wacore::noise::framing::{FrameDecoder, encode_frame};
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX};
use wacore_binary::{Node, OwnedNodeRef};
use waproto::whatsapp as wa;
use whatsapp_rust::buffa::{Message as _, MessageField};

pub struct Wire {
    socket: WebSocket<TcpStream>,
    frames: FrameDecoder,
    ciphers: (NoiseCipher, NoiseCipher),
    counters: (u32, u32),
}

/// What ended a connection.
#[derive(Debug)]
pub struct Gone;

fn raw(key: &KeyPair) -> [u8; 32] {
    key.public_key.public_key_bytes().try_into().unwrap()
}

fn certificates(own: &KeyPair) -> Vec<u8> {
    let one = |serial, issuer, key: [u8; 32]| {
        let details = wa::cert_chain::noise_certificate::Details {
            serial: Some(serial),
            issuer_serial: Some(issuer),
            key: Some(key.to_vec()),
            not_before: Some(1),
            not_after: Some(4_000_000_000),
        };
        let details = Some(details.encode_to_vec());
        MessageField::some(NoiseCertificate { details, signature: Some(vec![0; 64]) })
    };
    wa::CertChain { leaf: one(2, 1, raw(own)), intermediate: one(1, 0, [9; 32]) }.encode_to_vec()
}

impl Wire {
    /// The handshake; with it what the client says of itself.
    pub fn accept(stream: TcpStream, own: &KeyPair) -> Result<(Wire, wa::ClientPayload), Gone> {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut socket = tungstenite::accept(stream).map_err(|_| Gone)?;
        let (mut frames, mut head) = (FrameDecoder::new(), None);
        let hello = next(&mut socket, &mut frames, &mut head)?;
        let hello = wa::HandshakeMessage::decode_from_slice(&hello).map_err(|_| Gone)?;
        let hello = hello.client_hello.into_option().ok_or(Gone)?;
        let (theirs, mine) = (hello.ephemeral.unwrap_or_default(), KeyPair::generate(&mut rand::rng()));
        let private = |key: &KeyPair| key.private_key.serialize().to_vec();
        let mut told =
            wa::handshake_message::ServerHello { ephemeral: Some(raw(&mine).to_vec()), ..Default::default() };
        let pattern = if hello.r#static.is_some() { NOISE_PATTERN_IK } else { NOISE_PATTERN_XX };
        let mut noise = NoiseHandshake::new(pattern, head.as_ref().unwrap()).unwrap();
        let (ciphers, payload) = if let Some(sealed) = hello.r#static {
            noise.authenticate(&raw(own));
            noise.authenticate(&theirs);
            noise.mix_shared_secret(&private(own), &theirs).unwrap();
            let client = noise.decrypt(&sealed).map_err(|_| Gone)?;
            noise.mix_shared_secret(&private(own), &client).unwrap();
            let payload = noise.decrypt(&hello.payload.unwrap_or_default()).map_err(|_| Gone)?;
            noise.authenticate(&raw(&mine));
            noise.mix_shared_secret(&private(&mine), &theirs).unwrap();
            noise.mix_shared_secret(&private(&mine), &client).unwrap();
            told.payload = Some(noise.encrypt(&certificates(own)).unwrap());
            say_hello(&mut socket, told)?;
            (noise.finish().unwrap(), payload)
        } else {
            noise.authenticate(&theirs);
            noise.authenticate(&raw(&mine));
            noise.mix_shared_secret(&private(&mine), &theirs).unwrap();
            told.r#static = Some(noise.encrypt(&raw(own)).unwrap());
            noise.mix_shared_secret(&private(own), &theirs).unwrap();
            told.payload = Some(noise.encrypt(&certificates(own)).unwrap());
            say_hello(&mut socket, told)?;
            let finish = next(&mut socket, &mut frames, &mut head)?;
            let finish = wa::HandshakeMessage::decode_from_slice(&finish).map_err(|_| Gone)?;
            let finish = finish.client_finish.into_option().ok_or(Gone)?;
            let client = noise.decrypt(&finish.r#static.unwrap_or_default()).map_err(|_| Gone)?;
            noise.mix_shared_secret(&private(&mine), &client).unwrap();
            let payload = noise.decrypt(&finish.payload.unwrap_or_default()).map_err(|_| Gone)?;
            (noise.finish().unwrap(), payload)
        };
        socket.get_ref().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let payload = wa::ClientPayload::decode_from_slice(&payload).map_err(|_| Gone)?;
        // Theirs to write with is ours to read with.
        Ok((Wire { socket, frames, ciphers: (ciphers.1, ciphers.0), counters: (0, 0) }, payload))
    }

    pub fn send(&mut self, node: &Node) -> Result<(), Gone> {
        let bytes = wacore_binary::marshal::marshal(node).unwrap();
        let sealed = self.ciphers.0.encrypt_with_counter(self.counters.0, &bytes).unwrap();
        self.counters.0 += 1;
        let frame = encode_frame(&sealed, None).unwrap();
        self.socket.send(Message::Binary(frame.into())).map_err(|_| Gone)
    }

    /// What came within a moment.
    pub fn receive(&mut self) -> Result<Option<Node>, Gone> {
        loop {
            if let Some(mut frame) = self.frames.decode_frame() {
                self.ciphers
                    .1
                    .decrypt_in_place_with_counter(self.counters.1, &mut frame)
                    .map_err(|_| Gone)?;
                self.counters.1 += 1;
                let bytes = wacore_binary::util::unpack_bytes(frame).map_err(|_| Gone)?;
                return Ok(Some(OwnedNodeRef::new(bytes).map_err(|_| Gone)?.to_owned_node()));
            }
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.frames.feed(&bytes),
                Ok(Message::Close(_)) => return Err(Gone),
                Ok(_) => {}
                Err(tungstenite::Error::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    return Ok(None);
                }
                Err(_) => return Err(Gone),
            }
        }
    }

    pub fn close(&mut self) {
        let _ = self.socket.close(None);
        let _ = self.socket.flush();
    }
}

fn say_hello(
    socket: &mut WebSocket<TcpStream>,
    told: wa::handshake_message::ServerHello,
) -> Result<(), Gone> {
    let told = wa::HandshakeMessage { server_hello: MessageField::some(told), ..Default::default() };
    let frame = encode_frame(&told.encode_to_vec(), None).unwrap();
    socket.send(Message::Binary(frame.into())).map_err(|_| Gone)
}

/// A frame of the handshake; before the first one stands the head.
fn next(
    socket: &mut WebSocket<TcpStream>,
    frames: &mut FrameDecoder,
    head: &mut Option<Vec<u8>>,
) -> Result<Vec<u8>, Gone> {
    loop {
        if let Some(frame) = frames.decode_frame() {
            return Ok(frame.to_vec());
        }
        let Ok(Message::Binary(bytes)) = socket.read() else { return Err(Gone) };
        let mut bytes = &bytes[..];
        if head.is_none() {
            // Routing that an earlier connection was given.
            if bytes.starts_with(b"ED") {
                let length = usize::from(bytes[4]) << 16 | usize::from(bytes[5]) << 8 | usize::from(bytes[6]);
                bytes = &bytes[7 + length..];
            }
            *head = Some(bytes[..4].to_vec());
            bytes = &bytes[4..];
        }
        frames.feed(bytes);
    }
}
