/*
 * identity/meanings.c
 *		What words of company names and addresses are shortened to, as data.
 *
 * The first word of a line is what all of its words mean. Shortenings that are
 * the beginning of the word ("tech") need no line: words.c meets them where the
 * two names are compared; but with a line both have the same keys.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kind.h"
#include "identity/meanings.h"

#include "utils/memutils.h"

static const char *const company_lines[] = {
	/* English */
	"academy acad",
	"accessories access accs",
	"accountants accts",
	"accounting acctg",
	"administration admin adm",
	"advertising advtg advt",
	"aerospace aero",
	"agency agcy agy",
	"agricultural agri agric agriculture",
	"america amer us usa",
	"american amer",
	"analytics analytical analytic",
	"apparatus app",
	"applications apps application",
	"architects arch architecture architekten",
	"associates assoc assocs assn associated association associates",
	"automation autom",
	"automotive auto automobile automobiles automobil",
	"bank banks banque banco banca banken",
	"brothers bros bro gebruder gebr gbr freres fratelli flli hermanos hnos",
	"builders bldrs",
	"building bldg bldgs buildings",
	"business bus businesses",
	"capital",
	"care kare",
	"center centre ctr cntr centers centres zentrum",
	"central cent centr ctrl",
	"chemicals chem chemical chemie chemische",
	"city",
	"clinic clin klinik",
	"college coll",
	"commerce comm commercial comml",
	"communications comms communication commun telecommunication",
	"components comp cmpnts component",
	"computer comp computers cmptr",
	"construction constr const cons constructions bau",
	"consultants cnslt consultant",
	"consulting cons consult cnsltg consultancy",
	"contractors contr contractor contracting",
	"cooperative coop cooperatives",
	"corporate corp",
	"credit cr",
	"department dept",
	"design des designs designer",
	"development dev devel devt developments",
	"digital dig digi",
	"distribution dist distr distrib distributors distributor distributing",
	"division div",
	"east e",
	"education edu educ educational",
	"electric elec electrical elect elektro elektrik",
	"electronics elec electronic elektronik elektronics",
	"energy engy energie energia",
	"engineering eng engr engrg engineers engineer ingenieure",
	"enterprises ent entpr enterprise entrp entps",
	"entertainment ent",
	"environmental env environ environment",
	"equipment equip eqpt",
	"estate est estates",
	"europe eur euro europa",
	"european europ",
	"exchange exch",
	"export exp exports",
	"fabrication fab fabrications",
	"federal fed federated",
	"finance fin finances finanz",
	"financial fin fincl",
	"first 1st",
	"food foods",
	"foundation found fdn foundations stiftung",
	"general gen genl gnrl",
	"global glob globl",
	"government govt gov",
	"group grp gruppe groupe grupo gruppo",
	"health hlth",
	"healthcare hlthcare",
	"hospital hosp",
	"holding hldg holdings hldgs hld",
	"hotel htl hotels",
	"house",
	"import imp imports",
	"industrial ind indl indus industrie industriel",
	"industries ind inds indus industry",
	"information info inf",
	"infrastructure infra",
	"innovation innov innovations innovative",
	"institute inst institut instituto instituut",
	"institution inst",
	"instruments instr instrument instrum",
	"insurance ins insur versicherung",
	"integrated integr",
	"international intl int internat internationale internacional internazionale intern",
	"investment inv invest investments invt invts",
	"laboratory lab labs laboratories labor",
	"leasing lsg",
	"logistics log logis logistic logistik",
	"machine mach machines machinery maschinen",
	"maintenance maint",
	"management mgmt mgt mngmt",
	"manufacturing mfg manuf mfrg manufacture",
	"manufacturers mfr mfrs manufacturer",
	"marine mar maritime",
	"market mkt markets markt",
	"marketing mktg mkg",
	"materials matls mat material mtls",
	"mechanical mech",
	"media",
	"medical med medic medicine",
	"metals met metal",
	"motors mtr mtrs motor",
	"mount mt mountain mtn",
	"municipal muni",
	"national natl nat nation nationale nacional nazionale",
	"network net netw networks ntwk",
	"north n",
	"northern",
	"office off offices ofc",
	"operations ops oper",
	"optical opt optics",
	"organisation org organization orgn",
	"packaging pkg pack pkging",
	"paper ppr papers",
	"partners ptnrs ptrs partner prtnrs ptnr",
	"partnership pship",
	"performance perf",
	"petroleum petr petrol",
	"pharmaceuticals pharm pharma pharmaceutical pharmacy",
	"photography photo photographic",
	"plastics plas plastic plast",
	"power pwr",
	"precision prec",
	"printing print ptg printers prtg",
	"processing proc",
	"production prod productions",
	"products prod prods product prdts",
	"professional prof",
	"properties prop props property ppty",
	"public pub",
	"publishing publ pub publications publishers",
	"real re",
	"recycling recyc",
	"regional reg",
	"rental rent rentals",
	"research res rsrch",
	"resources res resource",
	"restaurant rest restaurants restaurante ristorante",
	"retail ret",
	"river riv",
	"saint st sankt",
	"savings sav",
	"school sch schools schule",
	"science sci sciences",
	"scientific sci",
	"second 2nd",
	"securities sec",
	"security sec secur",
	"services svc svcs service serv srv srvs srvcs servs",
	"shipping shpg ship",
	"society soc",
	"software sw soft",
	"solutions soln sol solns solution",
	"south s",
	"southern",
	"specialties spec specialists specialty",
	"steel stl",
	"storage stor",
	"store stores str",
	"supplies sup supply suppl supplys",
	"surgical surg",
	"system sys systems syst systeme",
	"technical tech techn technic",
	"technology tech technologies techs technol tecnologia technologie technik",
	"telecommunications telecom telco telecomms",
	"telephone tel",
	"textiles text textile textil",
	"third 3rd",
	"tools tool",
	"trading trdg trade trad trd handel",
	"training trng",
	"transport trans trsp transportation transports transporte transp",
	"travel trvl travels",
	"united utd unit",
	"university univ universitat universite universidad universita uni",
	"utilities util utils utility",
	"valley vly",
	"vehicles veh vehicle",
	"village vill",
	"warehouse whse warehousing wh",
	"water wtr waters",
	"west w",
	"western",
	"wholesale whsl whol",
	"works wks werke werk",
	"world wrld",

	/* German */
	"gesellschaft ges",
	"handelsgesellschaft handelsges",
	"und u",
	"verlag verl",
	"verwaltung verw verwaltungs",
	"sohne sohn sons son fils hijos figli zonen zn",
	"stadtwerke stadtw",

	/* French, Spanish, Italian */
	"compagnie cie compania cia compagnia",
	"construcciones constr construccion",
	"distribuciones distr distribucion",
	"etablissements ets etablissement",
	"industria ind industrias",
	"ingenieria ing",
	"inmobiliaria inmob",
	"servicios serv servicio servizi servizio",
	"societe ste soc sociedad societa",
	"tecnica tec tecnicas",
};

static const char *const street_lines[] = {
	"alley aly",
	"alameda alda",
	"allee al all",
	"annex anx",
	"apartment apt appt apartamento app apart",
	"avenue ave av avenida avda aven avn",
	"beach bch",
	"bend bnd",
	"block blk bldg building bloque",
	"boulevard blvd bd boul bvd blv",
	"bridge brg brdg",
	"brook brk",
	"bypass byp",
	"calle c",
	"camino cno",
	"canyon cyn",
	"carretera ctra",
	"causeway cswy",
	"center ctr centre cntr",
	"chemin ch chem",
	"circle cir circ crcl",
	"close cl",
	"common cmn",
	"corner crn",
	"corso cso",
	"court ct crt courts",
	"cove cv",
	"creek crk",
	"crescent cres crs",
	"crossing xing crsg",
	"drive dr drv",
	"east e ost",
	"estate est estates",
	"expressway expy expwy",
	"extension ext",
	"faubourg fbg fg",
	"field fld fields",
	"flat flt",
	"floor fl flr etage piso stock og",
	"forest frst",
	"fort ft",
	"freeway fwy",
	"gardens gdns garden gdn gds",
	"gasse",
	"gate gte",
	"glen gln",
	"green grn",
	"grove grv gr",
	"harbor harbour hbr",
	"heights hts hgts",
	"highway hwy hiway",
	"hill hl hls hills",
	"house hse haus",
	"industrial ind",
	"island is isl",
	"junction jct",
	"king kg",
	"lake lk",
	"landing lndg",
	"lane ln",
	"largo lgo",
	"lodge ldg",
	"manor mnr",
	"meadow mdw meadows mdws",
	"mount mt mountain mtn",
	"north n nord norte",
	"northeast ne",
	"northwest nw",
	"parade pde",
	"park pk prk",
	"parkway pkwy pky pkway",
	"paseo po pso",
	"passage psge pass passage",
	"piazza pza pzza",
	"place pl plac",
	"plaza plz pza",
	"platz pl pltz",
	"point pt pte",
	"quai quay",
	"ranch rnch",
	"ridge rdg",
	"river riv rvr",
	"road rd",
	"room rm",
	"route rte rt",
	"rue r",
	"saint sankt ste sainte san santa",
	"south s sud sur",
	"southeast se",
	"southwest sw",
	"spring spg springs spgs",
	"square sq sqr",
	"station sta stn",
	"strada str",
	"street st str strasse strabe strase ulica ul straat gatan gade via v",
	"suite ste",
	"terrace ter terr tce",
	"trail trl",
	"turnpike tpke",
	"union",
	"unit unt",
	"upper upr ober",
	"valley vly",
	"viale vle",
	"village vlg",
	"villa vla",
	"walk wlk",
	"way wy weg wg",
	"west w oeste",
	"wharf whf",
};

typedef struct MeaningSlot
{
	const char *word;			/* not terminated; NULL: free */
	int			length;
	const char *meaning;
} MeaningSlot;

#define MEANING_SLOTS	2048

static MeaningSlot *company_slots = NULL;
static MeaningSlot *street_slots = NULL;

/* The slot of a word, or the free one where it would stand. */
static MeaningSlot *
find_slot(MeaningSlot *slots, const char *word, int len)
{
	uint32		i = (uint32) ssot_hash_text(word, len) % MEANING_SLOTS;

	while (slots[i].word != NULL &&
		   (slots[i].length != len || memcmp(slots[i].word, word, len) != 0))
		i = (i + 1) % MEANING_SLOTS;
	return &slots[i];
}

/* A word of two lines means what the first one says. */
static MeaningSlot *
index_lines(const char *const *lines, int count)
{
	MeaningSlot *slots = MemoryContextAllocZero(TopMemoryContext,
												sizeof(MeaningSlot) * MEANING_SLOTS);

	for (int n = 0; n < count; n++)
	{
		const char *line = lines[n];
		char	   *meaning = MemoryContextAlloc(TopMemoryContext, strcspn(line, " ") + 1);

		strlcpy(meaning, line, strcspn(line, " ") + 1);
		while (*line)
		{
			int			len = strcspn(line, " ");
			MeaningSlot *slot = find_slot(slots, line, len);

			if (slot->word == NULL)
				*slot = (MeaningSlot)
			{
				line, len, meaning
			};
			line += len;
			line += *line == ' ';
		}
	}
	return slots;
}

const char *
ssot_company_word(const char *word, int len)
{
	if (company_slots == NULL)
		company_slots = index_lines(company_lines, lengthof(company_lines));
	return find_slot(company_slots, word, len)->meaning;
}

/* "St" is a saint where a name begins with it, and a street elsewhere. */
const char *
ssot_street_word(const char *word, int len, bool first)
{
	if (first && len == 2 && memcmp(word, "st", 2) == 0)
		return "saint";
	if (street_slots == NULL)
		street_slots = index_lines(street_lines, lengthof(street_lines));
	return find_slot(street_slots, word, len)->meaning;
}

int
ssot_street_ending(const char *word, int len, const char **meaning)
{
	static const struct
	{
		const char *ending;
		const char *meaning;
	}			endings[] = {
		{"strasse", "street"}, {"str", "street"}, {"straat", "street"}, {"gatan", "street"},
		{"gade", "street"}, {"gasse", "gasse"}, {"weg", "way"}, {"platz", "platz"},
		{"allee", "allee"}, {"laan", "lane"}, {"plein", "square"}, {"vej", "way"}, {"ulica", "street"},
	};

	for (int i = 0; i < lengthof(endings); i++)
	{
		int			n = strlen(endings[i].ending);

		if (len >= n + 3 && memcmp(word + len - n, endings[i].ending, n) == 0)
		{
			*meaning = endings[i].meaning;
			return len - n;
		}
	}
	return 0;
}
