"""What the columns of a table seem to be, by their names and by their values.

Rules:

- A name is cut into words at blanks, signs, digits and capitals. Words that only number things (id, no, code) say
  nothing; of the others the last one that is known decides ("order date" is a date, "product price" a price), but a
  date or a quantity wins wherever it stands ("date de commande").
- Values confirm: times can be read as times, quantities and visit numbers are numbers, a basket has several rows.
- Without a telling name, times are text that can be read as times; a basket is a column of repeated values that stand
  together; items are text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from llmarm_tutorial.data import cells, lists
from llmarm_tutorial.data.times import TIME_OF_DAY, parse_times
from llmarm_tutorial.errors import DataError

BASKET, ITEM, USER, TIME, ORDER, QUANTITY, OTHER = "basket", "item", "user", "time", "order", "quantity", "other"

# words, without accents, by what they name; those of four letters or more also begin or end longer words (Kundennummer)
WORDS = {
    BASKET: "invoice receipt basket transaction trans txn tid order cart purchase bill check ticket slip session bon "
    "bonnr bonid bonnummer beleg rechnung kassenbon kassenzettel einkauf warenkorb bestellung auftrag vorgang facture "
    "commande panier achat factura pedido recibo compra cesta scontrino ordine ricevuta carrello fattura faktura "
    "objednavka uctenka nakup kosik paragon zamowienie koszyk bestelling kassabon winkelmand cupom "
    "чек заказ корзина покупка 订单 小票 单号 购物篮 注文 伝票 レシート",
    ITEM: "item product prod article sku stock goods produkt artikel ware bezeichnung "
    "produit libelle designation producto articulo descripcion prodotto articolo descrizione produto descricao zbozi "
    "vyrobek polozka towar nazwa omschrijving movie film song track artist book isbn ean gtin upc asin plu "
    "merchandise material "
    "товар продукт наименование 品名 商品 产品 货品 品目",
    USER: "customer cust client user member card buyer shopper household hh person account loyalty visitor viewer "
    "kunde kunden kundin karte mitglied kaufer acheteur carte cliente usuario utente tessera socio zakaznik uzivatel "
    "klient klant gebruiker kund kunde membre patron subscriber reviewer email mail "
    "клиент покупатель пользователь 客户 顾客 会员 用户 顧客 会員",
    TIME: "date time day datetime timestamp when datum tag zeit uhrzeit zeitpunkt jour heure fecha hora dia giorno ora "
    "data dat cas den czas dzien tijd datetimes dates created bought purchased ts "
    "dt дата время день 日期 时间 時間 日付 日時",
    ORDER: "visit rank sequence seq step trip position besuch reihenfolge rang visite ordre visita orden navsteva",
    QUANTITY: "quantity qty quant units pieces pcs count menge anzahl stuck stk quantite nombre cantidad quantita "
    "quantidade mnozstvi pocet ilosc aantal antal number_sold количество кол 数量 件数",
    OTHER: "price cost total sum revenue discount tax vat amount value country city state region store shop branch "
    "terminal till cashier gender sex age rating score brand color colour size weight category department dept aisle "
    "family group class segment channel currency phone address zip comment note status reordered dow "
    "preis betrag umsatz rabatt land ort stadt filiale kasse warengruppe kategorie prix montant remise pays ville "
    "magasin categorie precio importe pais tienda categoria prezzo importo paese negozio cena castka mesto pobocka "
    "kategorie prijs bedrag winkel preco loja valor цена сумма магазин категория 价格 金额 单价 城市 类别 店",
}
NAMING = frozenset({"name", "title", "description", "desc"})  # of whatever stands beside them; alone, of an item
NUMBERING = "id ids no nr num number nummer numero code key index cislo numer の the of de der du la el o"
NEUTRAL = frozenset(NUMBERING.split())
LETTERS = 4
SAMPLE = 2000  # distinct values that are tried as times
NUMBER = r"[-+−]?(\d+|\d{1,3}([.,' ]\d{3})+)([.,]\d+)?"
MOST_ROWS = 300  # per basket, on average


@dataclass(frozen=True)
class Column:
    """A column, with what its name and its values say.

    Attributes:
        name: Its name.
        values: Its cells as text, missing where empty; empty where the cells are lists.
        is_list: Whether the cells are lists.
    """

    name: str
    values: pd.Series
    is_list: bool

    @cached_property
    def said(self) -> str:
        """The role that the name tells, "" where it tells none."""
        return role_of(self.name)

    @cached_property
    def distinct(self) -> pd.Series:
        """The distinct values."""
        return self.values.dropna().drop_duplicates()

    @cached_property
    def is_full(self) -> bool:
        """Whether no cell is empty."""
        return not self.values.isna().any() and len(self.values) > 0

    @cached_property
    def is_number(self) -> bool:
        """Whether all cells are numbers."""
        return len(self.distinct) > 0 and self.distinct.str.fullmatch(NUMBER).all()

    @cached_property
    def is_whole(self) -> bool:
        """Whether all cells are whole numbers."""
        return self.is_full and self.distinct.str.fullmatch(r"[-+]?\d+").all()

    @cached_property
    def is_time(self) -> bool:
        """Whether all cells can be read as times; numbers only where the name speaks of time."""
        if not self.is_full or (self.is_number and self.said != TIME):
            return False
        if not self.distinct.head(SAMPLE).str.contains(r"\d").all():
            return False
        try:
            parse_times(self.distinct.head(SAMPLE), self.name)
        except DataError:
            return False
        return True

    @cached_property
    def is_time_of_day(self) -> bool:
        """Whether all cells are a time of day without a date."""
        return self.is_full and self.distinct.str.casefold().str.fullmatch(TIME_OF_DAY).all()

    @cached_property
    def has_clock(self) -> bool:
        """Whether times tell more than the day."""
        if self.is_number:
            return self.distinct.str.len().min() > len("20240309")
        clocks = self.distinct.str.extract(r"(\d{1,2}:\d{2}(?::\d{2})?)")[0].dropna()
        return bool(len(clocks)) and clocks.nunique() > 1

    @cached_property
    def is_repeated(self) -> bool:
        """Whether values come back, as those of a basket's rows do."""
        return 0 < len(self.distinct) < len(self.values) <= MOST_ROWS * len(self.distinct)

    @cached_property
    def stands_together(self) -> bool:
        """Whether nearly all rows of one value follow each other."""
        runs = int((self.values != self.values.shift()).sum())
        return self.is_repeated and runs <= 1.05 * len(self.distinct)

    @cached_property
    def is_readable(self) -> bool:
        """Whether most values are words, and no codes."""
        words = self.distinct.str.contains(r"[^\W\d_]{2}") & ~self.distinct.str.fullmatch(r"[A-Z]*\d[\dA-Z]*")
        return bool(words.mean() > 1 / 2) if len(self.distinct) else False


def role_of(name: str) -> str:
    """The role that a column's name tells, by the rules in the head of this module; "" where it tells none."""
    words = words_of(name)
    roles = [role for word in words if word not in NAMING and (role := _role_of_word(word))]
    if not roles and NAMING & set(words):
        return ITEM
    for strong in (TIME, QUANTITY):
        if strong in roles and roles[-1] != OTHER:
            return strong
    return roles[-1] if roles else ""


def speaks_of(name: str, role: str) -> bool:
    """Whether any word of a name tells a role, as "product category" does of items."""
    return any(_role_of_word(word) == role for word in words_of(name))


def words_of(name: str) -> list[str]:
    """The words of a name in lower case, without accents and without those that only number things."""
    plain = unicodedata.normalize("NFKD", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign)).lower()
    return [word for word in re.findall(r"[^\W\d_]+", plain) if word not in NEUTRAL]


def _role_of_word(word: str) -> str:
    for role, words in ROLES.items():
        if word in words or word.removesuffix("s") in words:
            return role
    longest, found = 0, ""
    for role, words in ROLES.items():
        for known in words:
            if not known.isascii():
                inside = known in word
            else:
                inside = len(known) >= LETTERS and (word.startswith(known) or word.endswith(known))
            # the end of a word weighs more than its beginning: Bondatum, Kundenrabatt
            weight = len(known) + 100 * word.endswith(known)
            if inside and weight > longest:
                longest, found = weight, role
    return found


def _plain(words: str) -> frozenset[str]:
    return frozenset(word for part in words.split() for word in words_of(part))


ROLES = {role: _plain(words) for role, words in WORDS.items()}


def columns_of(table: pd.DataFrame) -> dict[str, Column]:
    """The columns of a table by name, ready to be asked."""
    found = {}
    for name in table:
        is_list = lists.are_real(table[name])
        values = pd.Series(dtype="str") if is_list else _texts(table[name])
        found[name] = Column(str(name), values, is_list or lists.are_printed(values))
    return found


def _texts(column: pd.Series) -> pd.Series:
    try:
        return cells.text(column)
    except DataError:  # lists or objects in some rows
        return pd.Series(dtype="str")
