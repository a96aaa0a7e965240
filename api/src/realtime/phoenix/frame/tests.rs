//! Frames, byte by byte as the client of Phoenix 1.8 writes and reads them.

use proptest::prelude::*;
use serde_json::value::to_raw_value;

use super::*;

fn text_of(frame: Frame) -> String {
    frame.into_text().unwrap().to_string()
}

#[test]
fn a_text_frame_is_five_elements_and_what_follows_is_ignored() {
    let message = decode_text(r#"["3","9","room:1","new_msg",{"a" :  1},"more"]"#).unwrap();
    assert_eq!((message.join_ref.as_deref(), message.reference.as_deref()), (Some("3"), Some("9")));
    assert_eq!((message.topic.as_str(), message.event.as_str()), ("room:1", "new_msg"));
    let Payload::Json(payload) = message.payload else { panic!("a payload of text") };
    assert_eq!(payload.get(), r#"{"a" :  1}"#, "as it came");
    assert!(decode_text(r#"[null,"7","phoenix","heartbeat",{}]"#).unwrap().join_ref.is_none());
}

#[test]
fn what_is_no_frame_is_refused() {
    for wrong in [
        "",
        "{}",
        "[]",
        "null",
        "\"x\"",
        r#"["1","2","t","e"]"#,
        r#"[1,"2","t","e",{}]"#,
        r#"["1",2,"t","e",{}]"#,
        r#"["1","2",null,"e",{}]"#,
        r#"["1","2","t",{},{}]"#,
        r#"["1","2","t","e",{}"#,
        r#"["1","2","\ud800","e",{}]"#,
        &format!(r#"["1","2","{}","e",{{}}]"#, "t".repeat(256)),
    ] {
        assert!(decode_text(wrong).is_err(), "{wrong}");
    }
    let deep = format!(r#"["1","2","t","e",{}{}]"#, "[".repeat(20_000), "]".repeat(20_000));
    assert!(decode_text(&deep).is_ok(), "what is passed on is not walked through");
}

#[test]
fn binary_frames_are_as_the_client_writes_and_reads_them() {
    let push = [&[0, 1, 2, 3, 4][..], b"312abcping", &[0xff, 0]].concat();
    let message = decode_binary(&push).unwrap();
    assert_eq!((message.join_ref.as_deref(), message.reference.as_deref()), (Some("3"), Some("12")));
    assert_eq!((message.topic.as_str(), message.event.as_str()), ("abc", "ping"));
    assert!(matches!(&message.payload, Payload::Binary(bytes) if bytes == &[0xff, 0]));
    let reply = binary_reply("3", "12", "abc", &[7]).unwrap();
    assert_eq!(reply.into_data(), [&[1, 1, 2, 3, 2][..], b"312abcok", &[7]].concat());
    for wrong in [&[][..], &[0], &[1, 0, 0, 0, 0], &[2, 0, 0], &[0, 9, 0, 0, 0, b'x'], &[0, 1, 0, 0, 0, 0xff]] {
        assert!(decode_binary(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn what_we_send_is_what_phoenix_sends() {
    let empty = to_raw_value(&Empty {}).unwrap();
    let heartbeat = reply(None, "7", "phoenix", Status::Ok, &empty);
    assert_eq!(text_of(heartbeat), r#"[null,"7","phoenix","phx_reply",{"status":"ok","response":{}}]"#);
    assert_eq!(text_of(push("3", "t", "e", &empty)), r#"["3",null,"t","e",{}]"#);
    assert_eq!(text_of(broadcast("t", "e", &empty)), r#"[null,null,"t","e",{}]"#);
    assert_eq!(text_of(close("3", "t")), r#"["3","3","t","phx_close",{}]"#);
    let broken = r#"["3","3","t","phx_error",{"reason":"gone"}]"#;
    assert_eq!(text_of(error("3", "t", "gone")), broken);
}

proptest! {
    #[test]
    fn hostile_text_never_panics(text in "\\PC{0,200}") {
        let _ = decode_text(&text);
    }

    #[test]
    fn hostile_arrays_never_panic(parts in prop::collection::vec("(null|\"[a-z\\\\\\\\\"]{0,4}\"|[0-9]{1,30}|\\{\\}|\\[)", 0..8)) {
        let _ = decode_text(&format!("[{}]", parts.join(",")));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(message) = decode_binary(&bytes) {
            prop_assert!(binary_reply("1", "2", &message.topic, &bytes).is_some());
        }
    }

    #[test]
    fn what_a_client_sends_is_read_back(
        join_ref in prop::option::of("\\PC{0,20}"), topic in "\\PC{0,60}", event in "\\PC{0,20}", payload in "\\PC{0,60}",
    ) {
        let sent = serde_json::to_string(&(&join_ref, "1", &topic, &event, &payload)).unwrap();
        let read = decode_text(&sent).unwrap();
        prop_assert_eq!((read.join_ref, read.topic, read.event), (join_ref, topic, event));
        let Payload::Json(raw) = read.payload else { panic!("a payload of text") };
        prop_assert_eq!(serde_json::from_str::<String>(raw.get()).unwrap(), payload);
    }
}
