%% A ledger as an existing platform may have it: a gen_server of the registered name, which keeps each transaction once and
%% remembers the order. With a file it knows them again after a restart; without one it forgets.
-module(ledger_server).
-behaviour(gen_server).

-export([record_transaction/1, get_history/1]).
-export([start/0, order/0, repeated/0, change/2, refuse/1, forget/1]).
-export([init/1, handle_call/3, handle_cast/2]).

start() -> {ok, _} = gen_server:start({local, ?MODULE}, ?MODULE, os:getenv("LEDGER_FILE"), []).

record_transaction(Transaction) -> gen_server:call(?MODULE, {record, Transaction}, infinity).
get_history(Account) -> gen_server:call(?MODULE, {history, Account}, infinity).

%% For tests: positions in the order of their recording; how often something was recorded again; another transaction in the
%% place of one; a position that is refused; a position that is forgotten.
order() -> gen_server:call(?MODULE, order, infinity).
repeated() -> gen_server:call(?MODULE, repeated, infinity).
change(Position, Change) -> gen_server:call(?MODULE, {change, Position, Change}, infinity).
refuse(Position) -> gen_server:call(?MODULE, {refuse, Position}, infinity).
forget(Position) -> gen_server:call(?MODULE, {forget, Position}, infinity).

init(Name) ->
    State = #{by_id => #{}, order => [], repeated => 0, refused => none, file => none},
    case Name of
        false -> {ok, State};
        _ ->
            {ok, Known} = read(Name),
            {ok, File} = file:open(Name, [append, raw, binary]),
            {ok, (lists:foldl(fun keep/2, State, Known))#{file := File}}
    end.

read(Name) ->
    case file:read_file(Name) of
        {ok, Bytes} -> {ok, [binary_to_term(Term) || <<Size:32, Term:Size/binary>> <= Bytes]};
        {error, enoent} -> {ok, []}
    end.

keep(#{id := Id, position := Position} = Transaction, #{by_id := ById, order := Order} = State) ->
    State#{by_id := ById#{Id => Transaction}, order := [Position | Order]}.

handle_call({record, #{position := Position}}, _, #{refused := Position} = State) ->
    {reply, {error, frozen}, State};
handle_call({record, #{id := Id} = Transaction}, _, #{by_id := ById, file := File, repeated := Repeated} = State) ->
    case ById of
        #{Id := _} -> {reply, {ok, exists}, State#{repeated := Repeated + 1}};
        _ ->
            Term = term_to_binary(Transaction),
            File =:= none orelse (ok = file:write(File, [<<(byte_size(Term)):32>>, Term])),
            {reply, {ok, Id}, keep(Transaction, State)}
    end;
handle_call({history, Account}, _, #{by_id := ById} = State) ->
    Of = fun(#{legs := Legs}) -> lists:any(fun(#{account := Other}) -> Other =:= Account end, Legs) end,
    {reply, lists:filter(Of, maps:values(ById)), State};
handle_call(order, _, #{order := Order} = State) -> {reply, lists:reverse(Order), State};
handle_call(repeated, _, #{repeated := Repeated} = State) -> {reply, Repeated, State};
handle_call({refuse, Position}, _, State) -> {reply, ok, State#{refused := Position}};
handle_call({change, Position, Change}, _, #{by_id := ById} = State) ->
    #{id := Id} = Old = find(Position, ById),
    #{id := NewId} = New = maps:merge(Old, Change),
    {reply, ok, State#{by_id := (maps:remove(Id, ById))#{NewId => New}}};
handle_call({forget, Position}, _, #{by_id := ById} = State) ->
    #{id := Id} = find(Position, ById),
    {reply, ok, State#{by_id := maps:remove(Id, ById)}}.

find(Position, ById) ->
    [Found] = [Transaction || #{position := Other} = Transaction <- maps:values(ById), Other =:= Position],
    Found.

handle_cast(_, State) -> {noreply, State}.
