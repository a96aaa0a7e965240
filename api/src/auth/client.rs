//! What is known of the program at the other end.

use domain::access::sessions::Start;
use poem::http::header;
use poem::{FromRequest, Request, RequestBody};

/// So much of what a client calls itself is kept.
const USER_AGENT_CHARS_MAX: usize = 200;

/// The other end of the connection.
pub(crate) struct Client {
    user_agent: Option<String>,
    address: Option<String>,
}

impl<'a> FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Client> {
        let user_agent = request.header(header::USER_AGENT);
        let user_agent = user_agent.map(|agent| agent.chars().take(USER_AGENT_CHARS_MAX).collect());
        let address = request.remote_addr().as_socket_addr().map(|address| address.ip().to_string());
        Ok(Client { user_agent, address })
    }
}

impl Client {
    /// How its session begins; a bearer token is good for so many seconds, or for the most.
    pub(crate) fn start(self, token_seconds: Option<i32>) -> Start {
        Start { token_seconds, user_agent: self.user_agent, address: self.address }
    }
}
